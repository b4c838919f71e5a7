//! The process, its clients and its collectors.

use super::{AppState, truth};
use crate::live::{Collector, Connection};
use crate::metrics::{Exposition, Process, one};
use crate::time;

/// The families of the server itself.
pub fn describe(state: &AppState, text: &mut Exposition) {
    let version = env!("CARGO_PKG_VERSION");
    text.gauge("observability_build_info", "The version that runs; always 1.", [([("version", version)], 1.0)]);
    let identity = state.store.identity.as_ref();
    text.gauge(
        "observability_database_info",
        "The database that is open; always 1.",
        [([("identity", identity)], 1.0)],
    );
    text.gauge("observability_uptime_seconds", "Time since the start.", one(time::monotonic_seconds()));
    process(text);
    clients(state, text);
    collectors(state, text);
}

fn process(text: &mut Exposition) {
    let process = Process::now();
    let number = |count: Option<u64>| one(count.map(|count| count as f64));
    let (resident, peak) = (process.resident_bytes, process.peak_resident_bytes);
    text.gauge("observability_process_resident_memory_bytes", "Memory that the process holds.", number(resident));
    text.gauge("observability_process_peak_resident_memory_bytes", "The most it has held.", number(peak));
    text.gauge("observability_process_open_files", "Files and sockets it has open.", number(process.open_files));
    text.gauge("observability_process_open_files_limit", "How many it may have.", number(process.most_open_files));
    text.gauge("observability_process_threads", "Its threads.", number(process.threads));
    text.counter("observability_process_cpu_seconds_total", "Processor time it has taken.", one(process.cpu_seconds));
}

fn clients(state: &AppState, text: &mut Exposition) {
    text.histogram(
        "observability_http_request_duration_seconds",
        "Time until an answer began, by the class of its status.",
        state.traffic.classes().map(|(class, durations)| ([("status", class)], durations)),
    );
    let connections = &state.connections;
    let count = |(reason, count): (&'static str, u64)| ([("reason", reason)], count as f64);
    text.gauge("observability_connections", "Connections of clients.", one(connections.count() as f64));
    let limit = connections.limits().all as f64;
    text.gauge("observability_connections_limit", "How many there may be.", one(limit));
    let accepted = connections.accepted() as f64;
    text.counter("observability_connections_accepted_total", "Connections that came in.", one(accepted));
    text.counter(
        "observability_connections_refused_total",
        "Connections that were not served, by what was used up.",
        connections.refused().map(count),
    );
    text.counter(
        "observability_connections_closed_total",
        "Connections that the server closed, by what their clients did.",
        connections.closed().map(count),
    );
    let responses = &state.store.responses;
    let (requests, bytes) = (responses.requests(), responses.bytes());
    text.gauge(
        "observability_requests_under_way",
        "Requests whose answers have not ended.",
        one(requests.used() as f64),
    );
    text.gauge("observability_requests_under_way_limit", "How many there may be.", one(requests.limit() as f64));
    let arriving = responses.arriving().budget();
    text.gauge(
        "observability_requests_arriving",
        "Those of them whose bodies are still on their way.",
        one(arriving.used() as f64),
    );
    text.gauge("observability_requests_arriving_limit", "How many there may be.", one(arriving.limit() as f64));
    text.counter(
        "observability_bodies_cut_total",
        "Bodies that were given up because they came slowly while others needed their room.",
        one(state.bodies.cut() as f64),
    );
    let held = bytes.used() as f64;
    text.gauge("observability_response_bytes", "Encoded bytes that their clients have not taken.", one(held));
    text.gauge("observability_response_bytes_limit", "How many there may be.", one(bytes.limit() as f64));
    text.counter(
        "observability_responses_cut_total",
        "Responses, and connections with responses, that were cut because their clients took nothing.",
        one(responses.cut() as f64),
    );
    text.counter(
        "observability_requests_refused_total",
        "Requests that were not meant for this server or came from foreign pages, by the header that says so.",
        state.guard.refused().map(|(header, count)| ([("header", header)], count as f64)),
    );
    let websockets = &state.websockets;
    text.gauge("observability_websocket_clients", "WebSocket clients.", one(websockets.count() as f64));
    let limit = websockets.limit() as f64;
    text.gauge("observability_websocket_clients_limit", "How many there may be.", one(limit));
    let sent = websockets.messages_sent() as f64;
    text.counter("observability_websocket_messages_total", "Messages sent to all of them.", one(sent));
    let alerts = state.live.alerts.list().len() as f64;
    text.gauge("observability_alerts", "Alerts that hold now.", one(alerts));
}

fn collectors(state: &AppState, text: &mut Exposition) {
    let all = state.live.components.all();
    let each = |value: fn(&Collector) -> u64| {
        all.into_iter().map(move |collector| ([("collector", collector.name)], value(collector) as f64))
    };
    let answers =
        |collector: &Collector| matches!(collector.state().connection, Connection::Connected | Connection::Simulated);
    let patience = state.patience();
    text.gauge(
        "observability_collector_up",
        "Whether the collector runs and finishes its rounds.",
        all.map(|collector| ([("collector", collector.name)], truth(collector.is_alive(patience)))),
    );
    text.gauge(
        "observability_collector_connected",
        "Whether its source answers.",
        all.map(|collector| ([("collector", collector.name)], truth(answers(collector)))),
    );
    text.counter("observability_collector_rows_total", "Rows it has handed to the store.", each(Collector::collected));
    text.counter(
        "observability_collector_skipped_samples_total",
        "Samples it left out: no finite numbers, or of no use to any column.",
        each(Collector::skipped),
    );
    text.counter(
        "observability_collector_left_out_samples_total",
        "Samples it left out because their service has more series than are kept.",
        each(Collector::left_out),
    );
    text.counter("observability_collector_errors_total", "Errors it survived.", each(Collector::errors));
}
