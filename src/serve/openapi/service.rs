//! The service itself: its name, and whether it is well.

use utoipa::openapi::ObjectBuilder;

use super::Draft;
use super::operation::{answer, operation, text};
use super::schema::{boolean, integer, list, map, named, number, object, optional, required, string};

pub(super) fn describe(draft: Draft) -> Draft {
    draft
        .get("/", operation(None, "root__get", "What this is, and where to go on").response("200", answer(root())))
        .get(
            "/health",
            operation(None, "health_check_health_get", "Whether the server answers").response("200", answer(health())),
        )
        .get(
            "/health/ready",
            operation(None, "readiness_check_health_ready_get", "Whether collectors run and the database answers")
                .response("200", answer(named("Readiness")))
                .response("503", answer(named("Readiness"))),
        )
        .get(
            "/health/live",
            operation(None, "liveness_check_health_live_get", "Uptime and connected clients")
                .response("200", answer(live())),
        )
        .get(
            "/metrics",
            operation(None, "metrics_metrics_get", "The server's own figures and the newest values, for Prometheus")
                .response("200", text("Text exposition format 0.0.4. What is not known in time is left out.")),
        )
        .schema("Readiness", readiness())
        .schema("Error", object("An error.", [required("detail", string("What is wrong and what to do."))]))
        .schema("HTTPValidationError", validation_error())
        .schema("ValidationError", problem())
}

fn root() -> ObjectBuilder {
    object(
        "",
        [
            required("service", string("Name of the service.")),
            required("version", string("Version of the interface.")),
            required("docs", string("Path of this documentation.")),
            required("websocket", string("Path of the live stream.")),
            required("endpoints", map("Where each topic begins.", string(""))),
        ],
    )
}

fn health() -> ObjectBuilder {
    object("", [required("status", string("`healthy`.")), required("service", string("`observability-api`."))])
}

fn readiness() -> ObjectBuilder {
    object(
        "Whether the server is ready; 503 when it is not.",
        [
            required("ready", boolean("Whether everything below runs.")),
            required("collectors", map("By collector: whether its task runs and finishes its rounds.", boolean(""))),
        ],
    )
}

fn live() -> ObjectBuilder {
    object(
        "",
        [
            required("alive", boolean("True.")),
            required("websocket_connections", integer("Clients of `/ws/metrics`.")),
            required("uptime_seconds", number("Seconds since the process started.")),
        ],
    )
}

fn validation_error() -> ObjectBuilder {
    object("A request that does not fit.", [optional("detail", list("The problems.", named("ValidationError")))])
}

fn problem() -> ObjectBuilder {
    object(
        "One problem of a request.",
        [
            required("loc", list("Where: `query` or `body`, then the field, then the index in a list.", string(""))),
            required("msg", string("What is wrong.")),
            required("type", string("The kind of problem.")),
        ],
    )
}
