//! How many files and connections this process may have open at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit that is assumed where the system sets none.
const MANY: usize = 1 << 20;

/// Raises the limit of open files to the most that the system lets this process have. Many systems begin with 1,024, for the sake of
/// old programs, and allow more.
pub fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Where that is refused, the old limit holds, and connections are bounded by it.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// The limit that holds now.
pub(crate) fn limit() -> usize {
    getrlimit(Resource::Nofile).current.map_or(MANY, |limit| usize::try_from(limit).unwrap_or(MANY))
}
