//! The program killed in the middle of archiving.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::answers;
use crate::common::Launch;
use crate::desk::{DAY, FIRST, SECOND, fill, launch, operator, push_quotes, quote};

#[tokio::test]
async fn kills_at_any_point_of_archiving_lose_and_double_nothing() {
    let rounds: u64 = std::env::var("ARCHIVE_ROUNDS").map_or(8, |text| text.parse().unwrap());
    let mut random = ChaCha8Rng::seed_from_u64(rounds);
    let control = launch().start().await;
    let mut server = launch().start().await;
    fill(&server).await;
    fill(&control).await;
    let mut interrupted = 0;
    // The kill comes earlier until it comes in the middle, however fast the machine is.
    let mut latest = 900;
    for round in 0..rounds {
        // Something to merge into what is archived already.
        let late = quote(FIRST + random.random_range(0..3) * DAY + SECOND, "LATE", round as i64 * 8 + 8);
        push_quotes(&server, std::slice::from_ref(&late)).await;
        push_quotes(&control, &[late]).await;
        let archiving = tokio::task::spawn_blocking({
            let launch = Launch::new().directory(&server.directory).arguments(["archive"]);
            move || launch.run()
        });
        tokio::time::sleep(Duration::from_millis(random.random_range(1..latest))).await;
        server.kill();
        if archiving.await.unwrap().code == Some(0) {
            latest = (latest / 2).max(10);
        } else {
            interrupted += 1;
        }
        server = launch().directory(&server.directory).start().await;
        let expected = answers::all(&control).await;
        answers::same(&server, &expected, &format!("kill {round}")).await;
    }
    operator(&server, "archive").await;
    answers::same(&server, &answers::all(&control).await, "in the end").await;
    println!("{rounds} kills, {interrupted} of them in the middle of archiving");
    assert!(interrupted > 0, "the test did something");
}
