//! The machine: load, memory, the database's disk, and what follows for the server's health.

use std::path::{Path, PathBuf};

use sysinfo::{Disk, DiskRefreshKind, Disks, MINIMUM_CPU_UPDATE_INTERVAL, System as Machine};

use super::drive::{Collect, CollectError, Component, Report};
use crate::live::{Collector, Connection, Live, SystemSection};
use crate::tables::{SYSTEM_METRICS, SystemMetricsRow};
use crate::time::{self, Micros};

/// CPU or memory above this, in percent, and the server is unhealthy; disk above it is critical.
const CRITICAL: f64 = 90.0;
/// CPU or memory above this, in percent, and the server is degraded.
const WARNING: f64 = 80.0;

/// Samples the machine away from the threads that serve sockets.
pub(super) struct System {
    database: PathBuf,
    sampler: Option<Sampler>,
}

impl System {
    /// Watches the disk that holds `database`, which need not exist yet.
    pub(super) fn new(database: PathBuf) -> Self {
        Self { database, sampler: None }
    }

    async fn sample(&mut self) -> Result<Sample, CollectError> {
        let sampler = match self.sampler.take() {
            Some(sampler) => sampler,
            None => {
                let database = self.database.clone();
                let sampler = tokio::task::spawn_blocking(move || Sampler::new(&database)).await?;
                // Load is a difference: the first one needs two looks.
                tokio::time::sleep(MINIMUM_CPU_UPDATE_INTERVAL).await;
                sampler
            }
        };
        let (sampler, sample) = tokio::task::spawn_blocking(move || sampler.sample()).await?;
        self.sampler = Some(sampler);
        Ok(sample)
    }
}

impl Collect for System {
    fn components(&self) -> &'static [Component] {
        &[Component::System]
    }

    fn source(&self) -> String {
        "host".into()
    }

    async fn observe(&mut self, live: &Live, now: Micros) -> Result<Vec<Report>, CollectError> {
        let sample = self.sample().await?;
        raise_alerts(live, &sample, now);
        let section = SystemSection {
            timestamp: now,
            cpu_percent: sample.cpu_percent,
            memory_percent: sample.memory_percent,
            disk_usage_percent: sample.disk_percent.unwrap_or(0.0),
            uptime: time::monotonic_seconds(),
            health: health(&sample),
            active_alerts: live.alerts.count(),
        };
        let row = SystemMetricsRow {
            timestamp: now,
            cpu_percent: Some(section.cpu_percent),
            memory_percent: Some(section.memory_percent),
            disk_usage_percent: sample.disk_percent,
            uptime_seconds: Some(section.uptime),
            health_status: Some(section.health.to_owned()),
            active_alerts: i32::try_from(section.active_alerts).ok(),
        };
        live.set_system(section);
        let batches = vec![(&SYSTEM_METRICS, SystemMetricsRow::batch(&[row])?)];
        Ok(vec![Report { component: Component::System, connection: Connection::Connected, batches }])
    }
}

/// What the machine is doing, in percent with one decimal.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sample {
    cpu_percent: f64,
    memory_percent: f64,
    /// `None` where the disk could not be found.
    disk_percent: Option<f64>,
}

struct Sampler {
    machine: Machine,
    disk: Option<Disk>,
}

impl Sampler {
    fn new(database: &Path) -> Self {
        let mut machine = Machine::new();
        machine.refresh_cpu_usage();
        let disks = Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing().with_storage());
        Self { machine, disk: disk_of(database, disks.into()) }
    }

    fn sample(mut self) -> (Self, Sample) {
        self.machine.refresh_cpu_usage();
        self.machine.refresh_memory();
        let disk_percent = self.disk.as_mut().and_then(|disk| {
            disk.refresh_specifics(DiskRefreshKind::nothing().with_storage());
            let total = disk.total_space();
            percent(total.saturating_sub(disk.available_space()), total)
        });
        let sample = Sample {
            cpu_percent: one_decimal(f64::from(self.machine.global_cpu_usage()).clamp(0.0, 100.0)),
            memory_percent: percent(self.machine.used_memory(), self.machine.total_memory()).unwrap_or(0.0),
            disk_percent,
        };
        (self, sample)
    }
}

/// The disk with the longest mount point above the file.
fn disk_of(database: &Path, disks: Vec<Disk>) -> Option<Disk> {
    let absolute = std::path::absolute(database).unwrap_or_else(|_| database.to_owned());
    // Links are resolved as far up as the path exists.
    let place = absolute.ancestors().find_map(|ancestor| ancestor.canonicalize().ok()).unwrap_or(absolute);
    let above = disks.into_iter().filter(|disk| place.starts_with(disk.mount_point()));
    above.max_by_key(|disk| disk.mount_point().components().count())
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| one_decimal(part as f64 / whole as f64 * 100.0))
}

fn one_decimal(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// CPU and memory decide; a full disk raises an alert instead.
fn health(sample: &Sample) -> &'static str {
    let worst = sample.cpu_percent.max(sample.memory_percent);
    if worst > CRITICAL {
        "unhealthy"
    } else if worst > WARNING {
        "degraded"
    } else {
        "healthy"
    }
}

/// Raises what holds now and clears what has ended.
fn raise_alerts(live: &Live, sample: &Sample, now: Micros) {
    let severity = |percent: f64| if percent > CRITICAL { "critical" } else { "warning" };
    for (id, what, percent, limit) in [
        ("cpu_high", "CPU load", sample.cpu_percent, WARNING),
        ("memory_high", "memory in use", sample.memory_percent, WARNING),
        ("disk_high", "space in use on the database's disk", sample.disk_percent.unwrap_or(0.0), CRITICAL),
    ] {
        let condition = (percent > limit).then(|| format!("{what} is {percent} %, more than {limit} %"));
        live.alerts.set(id, severity(percent), condition, now);
    }
    for (id, collector) in [
        ("market_data_disconnected", &live.components.market_data),
        ("strategy_disconnected", &live.components.strategy),
        ("execution_disconnected", &live.components.execution),
    ] {
        live.alerts.set(id, "warning", disconnected(collector), now);
    }
}

fn disconnected(collector: &Collector) -> Option<String> {
    let state = collector.state();
    (state.connection == Connection::Disconnected).then(|| {
        let reason = state.last_error.unwrap_or_else(|| format!("no answer from {}", state.source));
        format!("{} receives nothing: {reason}", collector.name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cpu_percent: f64, memory_percent: f64, disk_percent: f64) -> Sample {
        Sample { cpu_percent, memory_percent, disk_percent: Some(disk_percent) }
    }

    #[test]
    fn health_follows_cpu_and_memory_but_not_disk() {
        assert_eq!(health(&sample(80.0, 10.0, 99.0)), "healthy");
        assert_eq!(health(&sample(80.1, 10.0, 0.0)), "degraded");
        assert_eq!(health(&sample(10.0, 90.1, 0.0)), "unhealthy");
    }

    #[test]
    fn alerts_are_raised_while_they_hold_and_cleared_afterwards() {
        let live = Live::new();
        live.components.execution.failed("nobody there".into());
        live.components.execution.finished_round(Connection::Disconnected, 0);
        raise_alerts(&live, &sample(95.0, 85.0, 89.0), 1);
        let alerts = live.alerts.list();
        let raised: Vec<_> = alerts.iter().map(|alert| (alert.id, alert.severity)).collect();
        let expected = [("cpu_high", "critical"), ("memory_high", "warning"), ("execution_disconnected", "warning")];
        assert_eq!(raised, expected);
        assert!(alerts[2].message.contains("nobody there"));

        live.components.execution.finished_round(Connection::Connected, 1);
        raise_alerts(&live, &sample(5.0, 5.0, 91.0), 2);
        assert_eq!(live.alerts.list().iter().map(|alert| alert.id).collect::<Vec<_>>(), ["disk_high"]);
    }

    #[tokio::test]
    async fn a_round_samples_this_machine() {
        let directory = tempfile::tempdir().unwrap();
        let mut system = System::new(directory.path().join("not/yet/there.duckdb"));
        let live = Live::new();
        let reports = system.observe(&live, 7).await.unwrap();
        assert_eq!(reports[0].batches[0].1.num_rows(), 1);
        let section = live.snapshot().system.values.clone();
        assert_eq!(section.timestamp, 7);
        assert!(section.memory_percent > 0.0 && section.memory_percent <= 100.0);
        assert!((0.0..=100.0).contains(&section.cpu_percent));
        assert!(section.uptime >= 0.0);
    }
}
