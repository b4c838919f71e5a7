//! What only the operator may do.

use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::schema::{OneOfBuilder, Type};

use super::Draft;
use super::operation::{answer, error, lines, operation, query, validation_error};
use super::schema::{boolean, integer, list, named, nullable, number, object, required, string, word};

const ABOUT: &str = "\
For the operator, who sends the token of the lock file beside the database as `Authorization: Bearer`. The command \
`observability-api` of the same name does it.";

pub(super) fn describe(draft: Draft) -> Draft {
    let moved = list("The days.", named("MovedDay"));
    let dropped = list("What was dropped, by table and level.", named("Dropped"));
    let report = OneOfBuilder::new()
        .description(Some("One a line; the last says what was taken, or why nothing was."))
        .item(named("BackupProgress"))
        .item(named("BackupTaken"))
        .item(object("There is no backup.", [required("error", string("Why not."))]));
    draft
        .post(
            "/api/operator/archive",
            of_operator("archive_days", "Move old days into the archive")
                .parameter(dry_run())
                .parameter(confirm_clock())
                .response("200", answer(moved))
                .response("422", validation_error()),
        )
        .post(
            "/api/operator/retention",
            of_operator("drop_days", "Drop what is older than it is to be kept")
                .parameter(dry_run())
                .parameter(confirm_clock())
                .response("200", answer(dropped))
                .response("422", validation_error()),
        )
        .post(
            "/api/operator/backup",
            of_operator("take_backup", "Take a backup and tell how far it is")
                .parameter(query("to", "A directory or a bucket, in place of the one of the settings.", string("")))
                .parameter(query("keep", "Complete backups that stay there.", integer("")))
                .response("200", lines("How far it is, as it goes on.", report))
                .response("422", validation_error()),
        )
        .schema("MovedDay", moved_day())
        .schema("Dropped", dropped_days())
        .schema(
            "BackupProgress",
            object(
                "How far a table is.",
                [
                    required("step", word("What is done.", &["saving", "checking", "restoring", "copying"])),
                    required("table", string("The table, or a level of its roll-ups.")),
                    required("rows", integer("Rows that are done.")),
                    required("of", integer("All of them.")),
                ],
            ),
        )
        .schema(
            "BackupTaken",
            object(
                "A backup that is complete.",
                [
                    required("backup", string("Its name.")),
                    required("location", string("Where it is.")),
                    required("rows", integer("Rows in it.")),
                    required("bytes", integer("Bytes of its files.")),
                    required("seconds", number("How long it took.")),
                    required("removed", list("Older ones that were removed.", string(""))),
                ],
            ),
        )
}

fn of_operator(id: &str, summary: &str) -> OperationBuilder {
    operation(Some("operator"), id, summary)
        .description(Some(ABOUT))
        .response("400", error("It cannot be done; the message says why."))
        .response("403", error("The token is missing or wrong."))
}

fn dry_run() -> utoipa::openapi::path::Parameter {
    query(
        "dry_run",
        "`true` changes nothing and tells what would be done, `false` does it; anything else is refused.",
        boolean(""),
    )
}

fn confirm_clock() -> utoipa::openapi::path::Parameter {
    query(
        "confirm_clock",
        "`true` says that the clock is right although it is far from what it said before.",
        boolean(""),
    )
}

fn moved_day() -> utoipa::openapi::schema::ObjectBuilder {
    object(
        "A day that was moved into the archive.",
        [
            required("table", string("The table.")),
            required("date", string("The date, UTC.")),
            required("rows", integer("Rows that left the database.")),
            required("bytes", nullable("Size of the file; null before it is written.", Type::Integer)),
            required(
                "error",
                nullable("Why the day stays in the database for now; null when it does not.", Type::String),
            ),
        ],
    )
}

fn dropped_days() -> utoipa::openapi::schema::ObjectBuilder {
    object(
        "What was dropped of a table's rows, or of one level of its roll-ups.",
        [
            required("table", string("The table.")),
            required("level", nullable("The level; null for rows.", Type::String)),
            required("before", string("What is from this date on is kept.")),
            required("days", nullable("Days with rows; null for buckets.", Type::Integer)),
            required("rows", integer("Rows or buckets.")),
            required("archived_bytes", integer("Bytes of the archive's files.")),
        ],
    )
}
