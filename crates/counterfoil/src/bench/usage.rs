//! What a process used, as the kernel counts it: <https://man7.org/linux/man-pages/man5/proc.5.html>.

use std::collections::{HashMap, HashSet};

/// Microseconds of processor time, by who used them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    pub(crate) service: u64,
    pub(crate) postgres: u64,
    pub(crate) load: u64,
}

impl Cpu {
    /// Until now.
    pub(crate) fn read(service: u32, postgres: u32) -> Self {
        Self { service: own(service), postgres: family(postgres), load: own(std::process::id()) }
    }

    /// What was used since.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            service: self.service.saturating_sub(earlier.service),
            postgres: self.postgres.saturating_sub(earlier.postgres),
            load: self.load.saturating_sub(earlier.load),
        }
    }
}

/// The most memory that the process ever had in residence, in KiB; 0 when it cannot be read.
pub(crate) fn peak_rss_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

struct Stat {
    parent: u32,
    own: u64,
    /// Of children that have ended and were waited for.
    ended: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything, spaces and brackets too.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        own: number(11)? + number(12)?,
        ended: number(13)? + number(14)?,
    })
}

fn own(pid: u32) -> u64 {
    stat(pid).map_or(0, |stat| micros(stat.own))
}

/// The process, its children that live, and those that have ended.
fn family(pid: u32) -> u64 {
    let mut stats = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
            && let Some(stat) = stat(pid)
        {
            stats.insert(pid, stat);
        }
    }
    let mut ticks = stats.get(&pid).map_or(0, |stat| stat.own + stat.ended);
    let mut parents = HashSet::from([pid]);
    while !parents.is_empty() {
        let children = stats.iter().filter(|(_, stat)| parents.contains(&stat.parent));
        let children: Vec<(u32, u64)> = children.map(|(pid, stat)| (*pid, stat.own + stat.ended)).collect();
        ticks += children.iter().map(|(_, ticks)| ticks).sum::<u64>();
        parents = children.into_iter().map(|(pid, _)| pid).collect();
    }
    micros(ticks)
}

fn micros(ticks: u64) -> u64 {
    ticks * 1_000_000 / rustix::param::clock_ticks_per_second().max(1)
}
