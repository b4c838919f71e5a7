//! Backups in an object store.

use crate::common::{Launch, S3};
use crate::desk::{beside, command, directory, done, quotes, refused};

#[tokio::test]
async fn an_object_store_is_a_place_like_any_other() {
    let Some(s3) = S3::start() else { return };
    let to = s3.location("backups/desk");
    let server = s3.known_to(Launch::new().arguments(["--backup-location", &to])).start().await;
    quotes(&server, 300_000).await;
    for rows in [300_000, 300_500, 301_000] {
        quotes(&server, rows).await;
        let said = done(command(beside(&server), &["backup", "--keep", "2"]).await);
        assert!(said.contains(&to), "{said}");
    }
    let client = || s3.known_to(Launch::new());
    let listed = done(command(client(), &["backup", "--list", "--to", &to]).await);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    done(command(client(), &["restore", &to, "--verify"]).await);
    let name = &listed[..20];
    done(command(client(), &["restore", &format!("{to}/{name}"), "--verify"]).await);

    let elsewhere = directory();
    let launch = s3.known_to(Launch::new().directory(&elsewhere));
    done(command(launch, &["restore", &to]).await);
    let restored = Launch::new().directory(&elsewhere).start().await;
    assert_eq!(restored.sql_value("SELECT count(*) FROM market_data").await, 301_000);

    let nowhere = s3.location("nothing/here");
    let said = refused(command(client(), &["restore", &nowhere]).await);
    assert!(said.contains(&nowhere), "{said}");
    let said = refused(command(client(), &["backup", "--list", "--to", "s3://no-such-bucket/a"]).await);
    assert!(said.contains("no-such-bucket"), "{said}");
}
