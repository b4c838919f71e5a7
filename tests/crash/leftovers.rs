//! Files that a kill left behind go away again.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::clients::{order, token};
use crate::common::Server;
use crate::kill::{ARCHIVE, BACKUPS, files, is_aside, unfinished};

const TWO_DAYS: Duration = Duration::from_secs(2 * 86_400);

/// After archive, retention and backup have come to their end.
pub async fn check(server: &Server) {
    let (archive, backups) = (server.path().join(ARCHIVE), server.path().join(BACKUPS));
    assert_eq!(
        unfinished(&backups),
        Vec::<std::path::PathBuf>::new(),
        "the next backup clears away what was not finished"
    );
    let asides: Vec<_> = files(&archive).into_iter().filter(|file| is_aside(file)).collect();
    println!("{} files of days were left behind", asides.len());
    // Somebody could still be writing them; after a day nobody does.
    for file in &asides {
        File::options().write(true).open(file).unwrap().set_modified(SystemTime::now() - TWO_DAYS).unwrap();
    }
    order(&server.client, &server.url(""), &token(server), "retention").await.unwrap();
    let left: Vec<_> = files(&archive).into_iter().filter(|file| is_aside(file)).collect();
    assert!(left.is_empty(), "{left:?}");
    let is_named = |file: &std::path::Path| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        // A file that was named before a kill kept it from being recorded is set aside, not removed.
        name == "rows.parquet" || name == "identity.json" || name.contains(".unlisted-")
    };
    let unnamed: Vec<_> = files(&archive).into_iter().filter(|file| !is_named(file)).collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
}
