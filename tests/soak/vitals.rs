//! How the server does while it is under load.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(20);
/// Clock ticks in a second, as `/proc` counts them.
const TICKS: f64 = 100.0;

/// What was seen.
pub struct Vitals {
    /// The most memory that the program and its children had at one time, in bytes.
    pub peak_memory: u64,
    /// Time of each health check, shortest first.
    times: Vec<Duration>,
}

impl Vitals {
    /// Asks for the health of the server and looks at its memory for some time.
    pub async fn watch(pid: u32, url: String, time: Duration) -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        let until = Instant::now() + time;
        let mut clock = interval(EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut peak_memory, mut times) = (0, Vec::new());
        while Instant::now() < until {
            clock.tick().await;
            let asked = Instant::now();
            let answer = client.get(&url).send().await.expect("the health check is answered");
            assert_eq!(answer.status(), 200);
            answer.bytes().await.expect("the health check is answered");
            times.push(asked.elapsed());
            peak_memory = peak_memory.max(memory_of_tree(pid));
        }
        times.sort();
        Self { peak_memory, times }
    }

    /// The time within which this share of the health checks was answered.
    pub fn slow_answers(&self, share: f64) -> Duration {
        let last = self.times.len() - 1;
        self.times[((last as f64) * share) as usize]
    }
}

impl Display for Vitals {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let [median, p99, slowest] = [0.5, 0.99, 1.0].map(|share| self.slow_answers(share));
        write!(
            formatter,
            "peak memory {} MiB; {} health checks: median {median:?}, p99 {p99:?}, slowest {slowest:?}",
            self.peak_memory >> 20,
            self.times.len()
        )
    }
}

/// Processor time of a process and its children, in seconds.
pub fn cpu_seconds(pid: u32) -> f64 {
    tree(pid).into_iter().map(own_cpu_seconds).sum()
}

fn own_cpu_seconds(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<_> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / TICKS
}

/// Resident memory of a process and its children, in bytes. What children share with it (the program itself) counts once,
/// and one that is only just being started shares everything.
fn memory_of_tree(pid: u32) -> u64 {
    let started = |member: &u32| *member == pid || command_line(*member) != command_line(pid);
    let memory = |member| if member == pid { status(member, "VmRSS") } else { status(member, "RssAnon") };
    tree(pid).into_iter().filter(started).map(memory).sum()
}

fn command_line(pid: u32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

fn tree(pid: u32) -> Vec<u32> {
    let mut members = vec![pid];
    let mut next = 0;
    while let Some(member) = members.get(next).copied() {
        next += 1;
        let children = fs::read_to_string(format!("/proc/{member}/task/{member}/children")).unwrap_or_default();
        let threads = fs::read_dir(format!("/proc/{member}/task")).into_iter().flatten().flatten();
        let of_threads = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        let all: Vec<String> = of_threads.chain([children]).collect();
        for child in all.iter().flat_map(|text| text.split_whitespace()).filter_map(|child| child.parse().ok()) {
            if !members.contains(&child) {
                members.push(child);
            }
        }
    }
    members
}

fn status(pid: u32, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
}
