//! What the kernel says of this process (<https://man7.org/linux/man-pages/man5/proc.5.html>), under the names that every
//! client of Prometheus uses. Elsewhere than on Linux there is nothing to say.

use std::time::Duration;

use super::page::{Page, Value};

/// Where fields stand behind the name, from 0 (`state`, the third of all).
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const STARTED_TICKS: usize = 19;
const VIRTUAL_BYTES: usize = 20;
const RESIDENT_PAGES: usize = 21;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Stat {
    cpu: Duration,
    /// Since the machine was started.
    started: Duration,
    virtual_bytes: u64,
    resident_bytes: u64,
}

/// Reads all of it: five small files.
pub(crate) fn tell(page: &mut Page) {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
    let (ticks, page_size) = (rustix::param::clock_ticks_per_second(), rustix::param::page_size());
    if let Some(stat) = stat(&read("self/stat"), ticks, page_size as u64) {
        let one = |value: Value| [(Vec::new(), value)];
        page.counter("process_cpu_seconds", "Processor time, of user and system.", one(stat.cpu.into()));
        let bytes = one(stat.virtual_bytes.into());
        page.gauge("process_virtual_memory_bytes", "Virtual memory.", bytes);
        let bytes = one(stat.resident_bytes.into());
        page.gauge("process_resident_memory_bytes", "Memory in residence.", bytes);
        if let Some(booted) = booted(&read("stat")) {
            let started = one((booted + stat.started).into());
            page.gauge("process_start_time_seconds", "When the process was started, since 1970.", started);
        }
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        page.gauge(
            "process_open_fds",
            "File descriptors that are open.",
            [(Vec::new(), open.count().into())],
        );
    }
    if let Some(most) = max_fds(&read("self/limits")) {
        page.gauge("process_max_fds", "The most that may be open.", [(Vec::new(), most.into())]);
    }
}

fn stat(text: &str, ticks_per_second: u64, page_size: u64) -> Option<Stat> {
    // The name in brackets may hold anything, spaces and brackets too.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let ticks = |ticks: u64| Duration::from_millis(ticks.saturating_mul(1000) / ticks_per_second.max(1));
    Some(Stat {
        cpu: ticks(number(USER_TICKS)? + number(SYSTEM_TICKS)?),
        started: ticks(number(STARTED_TICKS)?),
        virtual_bytes: number(VIRTUAL_BYTES)?,
        resident_bytes: number(RESIDENT_PAGES)?.saturating_mul(page_size),
    })
}

/// When the machine was started, since 1970.
fn booted(stat: &str) -> Option<Duration> {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(Duration::from_secs(line.trim().parse().ok()?))
}

/// None where there is no limit.
fn max_fds(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_name_with_brackets_when_a_stat_is_read_then_its_fields_are_found() {
        let text =
            "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 12345 1000000 77 18446744073709551615";
        let stat = stat(text, 100, 4096).unwrap();
        assert_eq!(stat.cpu, Duration::from_secs(3));
        assert_eq!(stat.started, Duration::from_millis(123_450));
        assert_eq!((stat.virtual_bytes, stat.resident_bytes), (1_000_000, 77 * 4096));
    }

    #[test]
    fn whatever_is_not_as_it_should_be_says_nothing() {
        assert_eq!(stat("", 100, 4096), None);
        assert_eq!(stat("7 (a) S 1", 100, 4096), None);
        assert_eq!(booted("cpu 1 2 3\n"), None);
        assert_eq!(
            max_fds("Max open files            unlimited            unlimited            files\n"),
            None
        );
    }

    #[test]
    fn the_limit_and_the_start_are_found_among_others() {
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096     files\n";
        assert_eq!(max_fds(limits), Some(1024));
        assert_eq!(
            booted("cpu 1 2\nbtime 1700000000\nprocesses 3\n"),
            Some(Duration::from_secs(1_700_000_000))
        );
    }
}
