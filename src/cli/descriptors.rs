//! How many files and connections the process may have open at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// Beside connections and sealed segments: the store, the listeners, operators, hosts' connections, the runtime.
const OTHERS: u64 = 256;

/// Takes as many as the system lets it have at all.
pub(super) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Err(error) = raised {
        tracing::warn!(%error, may = ?limit.current, "the limit of open files could not be raised");
    }
}

/// What is to be said if a configuration asks for more than the system lets a process started like this one have.
pub(super) fn too_few(config: &Config) -> Option<String> {
    let connections = u64::try_from(config.limits.connections_max).unwrap_or(u64::MAX);
    // A segment stays open as long as the store does.
    let want = connections.saturating_add(sealed_segments(config)).saturating_add(OTHERS);
    let may = getrlimit(Resource::Nofile).maximum.filter(|may| *may < want)?;
    Some(format!(
        "the system lets a process have {may} files open (ulimit -Hn, LimitNOFILE=): {want} may be needed, of them {connections} \
         for connections"
    ))
}

fn sealed_segments(config: &Config) -> u64 {
    let dates = std::fs::read_dir(config.store.join("days")).into_iter().flatten().flatten();
    let segments = dates.map(|date| std::fs::read_dir(date.path()).into_iter().flatten().count());
    u64::try_from(segments.sum::<usize>()).unwrap_or(u64::MAX)
}
