//! CPU time by thread, as Linux keeps it: what part of this process has worked how long.

use std::collections::BTreeMap;
use std::time::Duration;

/// CPU time of the process's threads, summed by name.
#[derive(Clone, Debug, Default)]
pub struct CpuTimes(BTreeMap<String, Duration>);

impl CpuTimes {
    /// Reads it; empty where the system does not tell. A thread that has ended is not in it any more.
    #[must_use]
    pub fn read() -> Self {
        let mut times = BTreeMap::new();
        for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let read = |file: &str| std::fs::read_to_string(task.path().join(file)).ok();
            let (Some(name), Some(stat)) = (read("comm"), read("schedstat")) else { continue };
            // The first figure is nanoseconds on a CPU.
            let ran = stat.split(' ').next().and_then(|ns| ns.parse().ok()).map(Duration::from_nanos);
            let sum: &mut Duration = times.entry(name.trim().to_owned()).or_default();
            *sum = sum.saturating_add(ran.unwrap_or_default());
        }
        Self(times)
    }

    /// What has been added since an earlier reading.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |name: &str| earlier.0.get(name).copied().unwrap_or_default();
        let spent = self.0.iter().map(|(name, time)| (name.clone(), time.saturating_sub(before(name))));
        Self(spent.collect())
    }

    /// Of the threads whose names begin so.
    #[must_use]
    pub fn of(&self, prefix: &str) -> Duration {
        let named = self.0.iter().filter(|(name, _)| name.starts_with(prefix));
        named.fold(Duration::ZERO, |sum, (_, time)| sum.saturating_add(*time))
    }
}
