//! The catalogue of faults: each with how it is brought about here, the tests that cover it elsewhere, or why it is left out.

use super::round::Inject;
use super::{clocks, cuts, database, processes, standby, storage, upkeep};

pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) how: How,
}

pub(crate) enum How {
    /// Brought about by the driver.
    Here(&'static [(&'static str, Inject)]),
    /// By these tests.
    Covered(&'static [&'static str]),
    /// For this reason.
    LeftOut(&'static str),
}

use How::{Covered, Here, LeftOut};

const fn row(id: &'static str, what: &'static str, how: How) -> Row {
    Row { id, what, how }
}

pub(crate) const CATALOGUE: &[Row] = &[
    row(
        "F01",
        "kill -9 at each step of an append",
        Here(&[("a proxy stops at the step, kill -9", cuts::killed_at_each_step)]),
    ),
    row(
        "F02",
        "a crash at any system call",
        Here(&[("strace, SIGKILL at the n-th call", processes::at_system_calls)]),
    ),
    row(
        "F03",
        "kill -9 at each step of a batch of decisions",
        Here(&[("a proxy stops at the step, kill -9", cuts::killed_at_each_step)]),
    ),
    row("F04", "kill -9 at any moment, again and again", Here(&[("kill -9", processes::killed)])),
    row(
        "F05",
        "clients reset or close while they are answered",
        Here(&[("SO_LINGER 0, or FIN", processes::clients_go_away)]),
    ),
    row("F06", "the only instance stops and wakes", Here(&[("SIGSTOP, SIGCONT", processes::stopped)])),
    row(
        "F07",
        "a leader stops for longer than its lease and wakes",
        Here(&[("SIGSTOP, SIGCONT, of two", processes::zombie)]),
    ),
    row("F08", "no more open files", Here(&[("prlimit, idle connections", processes::no_more_files)])),
    row("F09", "asked to end under load", Here(&[("SIGTERM, one after the other", processes::asked_to_end)])),
    row(
        "F10",
        "PostgreSQL ends, loses a backend, ends sessions",
        Here(&[("immediate stop, kill -9, pg_terminate_backend", database::ends)]),
    ),
    row(
        "F11",
        "power loss of the database's disk",
        Here(&[("ext4 shut down without its log, with controls", storage::power_fails)]),
    ),
    row(
        "F12",
        "the write-ahead log cannot be flushed",
        Here(&[("strace, EIO from fdatasync", database::log_cannot_be_flushed)]),
    ),
    row("F13", "slow flushes", Here(&[("strace, fdatasync 0.2 to 5 s later", database::slow_disk)])),
    row("F14", "the data volume is full", Here(&[("a small tmpfs, filled", storage::data_volume_full)])),
    row("F15", "the log volume is full", Here(&[("a small tmpfs, filled", storage::log_volume_full)])),
    row(
        "F16",
        "pages corrupted, rows edited by an operator",
        Covered(&[
            "whatever_was_tampered_with_is_found_and_named",
            "verifiers_of_others_accept_a_log_and_refuse_every_tampering",
            "no_role_updates_deletes_or_truncates_events",
        ]),
    ),
    row(
        "F17",
        "deadlocks and serialization failures",
        Here(&[("a trigger raises 40P01 and 40001", database::storms)]),
    ),
    row(
        "F18",
        "tables locked, no session to be had",
        Here(&[
            ("ACCESS EXCLUSIVE locks", database::lock_queue),
            ("max_connections taken", database::no_sessions),
        ]),
    ),
    row(
        "F19",
        "asynchronous fail-over that loses commits",
        Covered(&[
            "a_process_whose_sessions_were_cut_refuses_to_append_to_an_earlier_state_of_its_log",
            "the_door_answers_503_when_the_log_has_forked_and_says_what_to_do",
            "a_cursor_that_leads_nowhere_is_told_where_to_go_on",
            "wherever_the_published_log_ends_all_of_it_comes_back_and_counts_once",
        ]),
    ),
    row(
        "F20",
        "synchronous fail-over, and a standby that stops",
        Here(&[("pg_basebackup, SIGSTOP, immediate stop, pg_promote", standby::takes_over)]),
    ),
    row(
        "F21",
        "dump and restore into a new cluster",
        Here(&[("pg_dump, psql, another server", upkeep::restored_elsewhere)]),
    ),
    row(
        "F22",
        "a long write in another database",
        Here(&[("a transaction left open", database::long_write_elsewhere)]),
    ),
    row(
        "F23",
        "writers that roll back",
        Covered(&["three_instances_lose_no_callback_and_never_have_two_writers"]),
    ),
    row(
        "F24",
        "reset exactly behind COMMIT",
        Here(&[("a proxy that knows the protocol", cuts::reset_behind_commit)]),
    ),
    row(
        "F25",
        "black-hole partition, 200 ms delay",
        Here(&[
            ("a proxy that takes and says nothing, or later", cuts::partitioned),
            ("iptables DROP", cuts::packets_dropped),
        ]),
    ),
    row("F26", "the service's clock is stepped", Here(&[("libfaketime, live", clocks::of_the_service)])),
    row("F27", "the database's clock is stepped", Here(&[("libfaketime, live", clocks::of_the_database)])),
    row(
        "F28",
        "one callback many times, at once and later",
        Here(&[("50 at once, 25 later", processes::the_same_again)]),
    ),
    row(
        "F29",
        "one capture through different events",
        Covered(&["p3_a_capture_counts_once", "p3_any_order_of_arrival_with_duplicates_ends_the_same"]),
    ),
    row(
        "F30",
        "callbacks of an order in any order",
        Covered(&[
            "p3_any_order_of_arrival_with_duplicates_ends_the_same",
            "a_fold_in_another_language_has_the_rows_of_the_service_after_callbacks_in_any_order",
        ]),
    ),
    row(
        "F31",
        "a callback before its order, or of an unknown one",
        Covered(&[
            "a_refund_before_its_capture_and_a_capture_before_its_order_settle_alike",
            "money_for_an_unknown_order_waits_for_it",
        ]),
    ),
    row(
        "F32",
        "amount, currency or payee do not match",
        Covered(&[
            "another_currency_or_payee_is_recorded_and_not_counted",
            "an_amount_is_read_exactly_or_not_at_all_and_pays_only_what_it_is",
            "a_final_capture_below_the_total_is_for_review_and_may_be_accepted",
            "p10_what_cannot_be_read_exactly_is_refused",
        ]),
    ),
    row(
        "F33",
        "unknown types and shapes",
        Covered(&[
            "an_authentic_callback_that_cannot_be_understood_is_kept_as_such",
            "whatever_is_not_ours_is_ignored_whatever_it_holds",
        ]),
    ),
    row(
        "F34",
        "bad headers, signatures and certificates",
        Covered(&[
            "a_callback_that_is_not_authentic_changes_nothing",
            "each_header_must_be_there_once_and_in_its_form",
            "only_a_valid_leaf_of_the_right_name_under_the_right_root_counts",
        ]),
    ),
    row(
        "F35",
        "another body under an equal CRC32",
        Covered(&[
            "reserialised_bodies_fail_and_a_crc_collision_is_not_seen",
            "other_bytes_under_a_known_transmission_are_refused_though_their_crc_is_the_same",
            "a_forged_body_under_a_signature_that_never_arrived_settles_no_order_that_it_does_not_fit",
        ]),
    ),
    row(
        "F36",
        "certificate URLs that lead elsewhere",
        Covered(&[
            "only_the_environments_own_url_is_believed",
            "no_call_leaves_for_a_certificate_url_that_is_not_paypals",
            "a_certificate_that_cannot_be_had_makes_its_callback_wait_and_nobody_else_is_called",
            "while_paypals_host_is_down_a_known_certificate_goes_on_and_others_wait",
            "a_name_that_was_led_elsewhere_is_not_believed_and_told_nothing",
            "nothing_is_fetched_for_a_header_that_is_wrong",
            "fifty_callbacks_at_once_fetch_their_certificate_once",
        ]),
    ),
    row(
        "F37",
        "HTTP limits and smuggling",
        Covered(&[
            "broken_http_is_refused",
            "no_request_is_taken_for_two_and_none_is_read_beyond_its_limit",
            "all_bodies_together_are_bounded",
        ]),
    ),
    row(
        "F38",
        "slow heads, bodies and readers",
        Covered(&[
            "a_slow_sender_is_cut_off",
            "sixty_slow_senders_keep_nobody_waiting_and_are_all_cut_off",
            "a_client_that_does_not_read_is_cut_off",
        ]),
    ),
    row(
        "F39",
        "malformed JSON",
        Covered(&[
            "what_is_not_json_is_told_apart",
            "an_authentic_callback_that_cannot_be_understood_is_kept_as_such",
            "whatever_field_is_wrong_or_missing_the_callback_is_kept_and_parks_nothing",
            "bodies_that_cannot_be_understood_are_facts_too",
            "depth_and_size_in_fields_that_nobody_reads_do_no_harm",
        ]),
    ),
    row(
        "F40",
        "a flood of unsigned requests",
        Covered(&["an_address_that_sends_garbage_is_answered_429_and_its_authentic_callbacks_are_taken"]),
    ),
    row("F41", "random bytes at every parser", LeftOut("`make fuzz` is the fuzzers' own")),
    row(
        "F42",
        "a broker that is down, dies, or refuses",
        Covered(&[
            "p8_consumers_of_every_broker_have_every_outcome_once_and_in_order_whatever_is_killed_or_stopped",
            "of_many_that_rabbitmq_returns_at_once_none_is_taken_for_delivered",
            "given_a_memory_alarm_when_it_ends_then_the_rabbitmq_sink_goes_on",
        ]),
    ),
    row(
        "F43",
        "several relays, leases that run out",
        Covered(&[
            "three_instances_lose_no_callback_and_never_have_two_writers",
            "a_slow_leader_finds_batches_that_fit_into_its_lease",
        ]),
    ),
    row(
        "F44",
        "an event that cannot be decided",
        Covered(&[
            "p9_an_undecidable_fact_parks_its_key_only",
            "a_fact_whose_decision_panics_is_parked_and_redriven_by_the_timer",
        ]),
    ),
    row("F45", "wake-ups that are lost", Here(&[("sessions that LISTEN ended", database::lost_wake_ups)])),
    row(
        "F46",
        "two versions side by side",
        Covered(&["the_previous_commit_and_this_one_serve_side_by_side"]),
    ),
    row(
        "F47",
        "a migration that fails, waits, runs twice",
        Here(&[("migrate ended at any moment, and twice at once", upkeep::migrations_that_end)]),
    ),
    row(
        "F48",
        "read models rebuilt, a consumer from the beginning",
        Here(&[("rebuild under load, the feed from 0", upkeep::rebuilt_under_load)]),
    ),
    row(
        "F49",
        "a consumer that is slow or gone",
        Here(&[("a consumer that never comes, and one that stalls", upkeep::nobody_reads)]),
    ),
    row("F50", "personal data and secrets in bodies", Covered(&["no_personal_data_leaves_the_evidence"])),
];
