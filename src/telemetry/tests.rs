use std::collections::BTreeSet;
use std::time::Duration;

use super::occurrence::{BatchMetrics, CommittedBatch, RebalanceKind, RebuildReason};
use super::sample_plan::sample_plan;
use super::*;
use crate::domain::output::DeadLetterClass;
use crate::domain::plan::{DestinationIndex, TopicIndex};
use crate::domain::tally::{EventOutcome, FilterReason, Tally};

/// Runs a piece of code under a recorder of its own and returns its page without the process's own series.
fn page_of(code: impl FnOnce()) -> String {
    let recorder = recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        describe();
        occurrence::register();
        code();
    });
    sorted(&handle.render())
}

/// The exporter's families and series come in no order of their own.
fn sorted(page: &str) -> String {
    let mut families: Vec<String> = page
        .split("\n\n")
        .map(|family| {
            let (comments, mut series): (Vec<&str>, Vec<&str>) =
                family.lines().filter(|line| !line.is_empty()).partition(|line| line.starts_with('#'));
            if !family.contains(" histogram") {
                series.sort_unstable();
            }
            [comments, series].concat().join("\n")
        })
        .filter(|family| !family.is_empty())
        .collect();
    families.sort_unstable();
    families.join("\n\n") + "\n"
}

fn series(page: &str, name_and_labels: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(name_and_labels)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn every_configured_series_stands_at_zero_from_the_start() {
    let page = page_of(|| {
        let _metrics = PlanMetrics::new(&sample_plan());
        occurrence::tasks([("running", 2)]);
    });
    insta::assert_snapshot!(page);
}

#[test]
fn every_documented_metric_is_on_the_page_and_every_name_on_the_page_is_documented() {
    let mut page = page_of(|| {
        let _metrics = PlanMetrics::new(&sample_plan());
        occurrence::tasks([("running", 2)]);
    });
    series::LAG.render(&mut page);
    series::render_process(&mut page, 1.0);
    let shown: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let documented: BTreeSet<&str> = reference().iter().map(|doc| doc.name).collect();
    assert_eq!(shown, documented);
    for doc in reference() {
        assert!(page.contains(&format!("# TYPE {} {}\n", doc.name, doc.kind.name())), "{}", doc.name);
        assert!(page.contains(&format!("# HELP {} {}\n", doc.name, doc.meaning)), "{}", doc.name);
    }
}

#[test]
fn series_have_the_documented_labels() {
    let page = page_of(|| {
        let _metrics = PlanMetrics::new(&sample_plan());
        occurrence::tasks([("running", 2)]);
    });
    for doc in reference() {
        let Some(labels) = page.lines().find_map(|line| line.strip_prefix(doc.name)?.strip_prefix('{')) else {
            continue;
        };
        let labels: Vec<&str> = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).collect();
        assert_eq!(labels, doc.labels, "{}", doc.name);
    }
}

#[test]
fn a_published_tally_is_added_to_its_own_series() {
    let page = page_of(|| {
        let plan = sample_plan();
        let metrics = PlanMetrics::new(&plan);
        let mut tally = Tally::new(&plan);
        tally.event(0, EventOutcome::Notified);
        tally.event(0, EventOutcome::Notified);
        tally.event(0, EventOutcome::Unmatched);
        tally.inferred_interactions[0] += 4;
        tally.notification(DestinationIndex(1));
        tally.filtered_by_topic(TopicIndex(0), FilterReason::Criteria);
        tally.filtered_by_destination(DestinationIndex(0), FilterReason::OrganizationMissing);
        tally.evaluation_errors[0] += 5;
        tally.dead_letter(DeadLetterClass::TooLarge);
        metrics.publish(&tally);
        metrics.publish(&tally);
    });
    let expected = [
        (r#"fanout_events_total{kafka_topic="fhir.changes",outcome="notified"}"#, 4.0),
        (r#"fanout_events_total{kafka_topic="fhir.changes",outcome="unmatched"}"#, 2.0),
        (r#"fanout_events_total{kafka_topic="fhir.changes",outcome="dead-lettered"}"#, 0.0),
        (r#"fanout_inferred_interactions_total{kafka_topic="fhir.changes"}"#, 8.0),
        (r#"fanout_notifications_total{destination="audit"}"#, 2.0),
        (r#"fanout_notifications_total{destination="kafka-destination"}"#, 0.0),
        (r#"fanout_filtered_total{topic="http://t/forms",destination="",reason="criteria"}"#, 2.0),
        (
            r#"fanout_filtered_total{topic="http://t/forms",destination="kafka-destination",reason="organization-missing"}"#,
            2.0,
        ),
        (r#"fanout_evaluation_errors_total{topic="http://t/forms"}"#, 10.0),
        (r#"fanout_dead_letters_total{class="too-large"}"#, 2.0),
        (r#"fanout_dead_letters_total{class="undecodable"}"#, 0.0),
    ];
    for (name, value) in expected {
        assert_eq!(series(&page, name), Some(value), "{name}");
    }
}

#[test]
fn occurrences_are_counted() {
    let page = page_of(|| {
        let batch = BatchMetrics::new();
        let committed = CommittedBatch {
            records: 40,
            outputs: 3,
            processing: Duration::from_millis(4),
            commit: Duration::from_millis(20),
        };
        batch.transaction_committed(0, committed);
        batch.transaction_committed(1, committed);
        occurrence::transaction_aborted(0, "rebalanced", &"x");
        occurrence::commit_unknown(0, &"x");
        occurrence::producer_rebuilt(0, RebuildReason::Fenced);
        occurrence::rebalanced(0, RebalanceKind::Lost, 2);
        let _plan = PlanMetrics::new(&sample_plan());
        occurrence::destination_blocked(0, "audit", "audit", &"x");
        occurrence::destination_blocked(1, "audit", "audit", &"x");
        occurrence::destination_unblocked(0, "audit", "audit");
        let _second_task = PlanMetrics::new(&sample_plan());
    });
    let expected = [
        (r#"fanout_transactions_total{outcome="committed"}"#, 2.0),
        (r#"fanout_transactions_total{outcome="aborted"}"#, 1.0),
        (r#"fanout_batch_records_bucket{le="10"}"#, 0.0),
        (r#"fanout_batch_records_bucket{le="50"}"#, 2.0),
        ("fanout_batch_records_sum", 80.0),
        (r#"fanout_processing_seconds_bucket{le="0.0025"}"#, 0.0),
        (r#"fanout_processing_seconds_bucket{le="0.005"}"#, 2.0),
        (r#"fanout_commit_seconds_bucket{le="0.025"}"#, 2.0),
        ("fanout_commits_unknown_total", 1.0),
        (r#"fanout_producer_rebuilds_total{reason="fenced"}"#, 1.0),
        (r#"fanout_producer_rebuilds_total{reason="fatal"}"#, 0.0),
        (r#"fanout_rebalances_total{kind="lost"}"#, 1.0),
        (r#"fanout_destination_blocked{destination="audit"}"#, 1.0),
        (r#"fanout_destination_blocked{destination="kafka-destination"}"#, 0.0),
    ];
    for (name, value) in expected {
        assert_eq!(series(&page, name), Some(value), "{name}");
    }
}

#[test]
fn end_to_end_latency_is_taken_at_the_commit() {
    let page = page_of(|| {
        let mut latency = EndToEnd::new();
        latency.observe(Some(1_000));
        latency.aborted();
        for timestamp in [Some(9_000), Some(9_000), Some(9_960), None, Some(10_500)] {
            latency.observe(timestamp);
        }
        latency.committed(10_000);
        latency.committed(99_000);
    });
    // Two of 1 s, one of 40 ms, one from a clock ahead of ours; none of the aborted batch, none twice.
    assert_eq!(series(&page, "fanout_end_to_end_seconds_count"), Some(4.0));
    assert_eq!(series(&page, "fanout_end_to_end_seconds_sum"), Some(2.04));
    assert_eq!(series(&page, r#"fanout_end_to_end_seconds_bucket{le="0.01"}"#), Some(1.0));
    assert_eq!(series(&page, r#"fanout_end_to_end_seconds_bucket{le="0.05"}"#), Some(2.0));
    assert_eq!(series(&page, r#"fanout_end_to_end_seconds_bucket{le="1"}"#), Some(4.0));
}

#[test]
fn an_error_is_logged_with_its_sources() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::fmt::Error);
    let text = chain(&Outer(std::fmt::Error)).to_string();
    assert!(text.starts_with("outer: ") && text.len() > "outer: ".len(), "{text}");
}
