//! The program, running in a directory of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpSocket;

use super::{Answer, eventually_within};

const PROGRAM: &str = env!("CARGO_BIN_EXE_observability-api");
/// Settings of whoever runs the tests must not reach the program.
const FOREIGN: [&str; 9] = [
    "DUCKDB_PATH",
    "BATCH_SIZE",
    "WRITE_INTERVAL",
    "LOG_LEVEL",
    "RUST_LOG",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];
/// A start includes the first open of the database; on a busy machine that takes a while.
const START: Duration = Duration::from_secs(60);

/// How the program is to be started.
pub struct Launch {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directory: Arc<TempDir>,
    urls: [Option<String>; 3],
    listen: bool,
    descriptors: Option<(u32, u32)>,
    scheme: &'static str,
}

/// How the program ended on its own.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Launch {
    pub fn new() -> Self {
        Self {
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: Arc::new(TempDir::new().expect("a temporary directory")),
            urls: [None, None, None],
            listen: true,
            descriptors: None,
            scheme: "http",
        }
    }

    pub fn arguments<T: ToString>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.to_string()));
        self
    }

    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Works in a directory that another server worked in.
    pub fn directory(mut self, directory: &Arc<TempDir>) -> Self {
        self.directory = directory.clone();
        self
    }

    /// Where the market data, execution and risk services answer; by default nobody does.
    pub fn desk(mut self, urls: [String; 3]) -> Self {
        self.urls = urls.map(Some);
        self
    }

    /// Gives it so many descriptors, and lets it ask for so many.
    pub fn descriptors(mut self, soft: u32, hard: u32) -> Self {
        self.descriptors = Some((soft, hard));
        self
    }

    /// Leaves host and port to the other settings.
    pub fn without_address(mut self) -> Self {
        self.listen = false;
        self
    }

    /// Speaks HTTPS to the server, trusting whatever certificate it shows.
    pub fn tls(mut self) -> Self {
        self.scheme = "https";
        self
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Starts the program and returns when it listens.
    pub async fn start(self) -> Server {
        let mut nobody = Vec::new();
        let mut command = self.command();
        for (flag, url) in ["--market-data-url", "--execution-url", "--risk-url"].into_iter().zip(&self.urls) {
            // A port that is bound and does not listen refuses every connection, and nobody else can take it.
            let unreachable = TcpSocket::new_v4().expect("a socket");
            unreachable.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
            let port = unreachable.local_addr().expect("the socket is bound").port();
            command.arg(flag).arg(url.clone().unwrap_or_else(|| format!("http://127.0.0.1:{port}/metrics")));
            nobody.push(unreachable);
        }
        if self.listen {
            command.args(["--host", "127.0.0.1", "--port", "0"]);
        }
        let mut child = command.spawn().expect("the program starts");
        let log = Arc::new(Mutex::new(String::new()));
        follow(child.stdout.take().expect("piped"), log.clone());
        follow(child.stderr.take().expect("piped"), log.clone());
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.danger_accept_invalid_certs(true).build().expect("a client");
        let mut server = Server {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            scheme: self.scheme,
            directory: self.directory,
            log,
            client,
            _nobody: nobody,
        };
        server.address = eventually_within(START, "the program listens", async || server.announced()).await;
        server
    }

    /// Starts the program, ends it after some time as a power failure would, and gives what it has printed.
    pub async fn kill_after(self, time: Duration) -> String {
        let mut child =
            self.command().args(["--host", "127.0.0.1", "--port", "0"]).spawn().expect("the program starts");
        let log = Arc::new(Mutex::new(String::new()));
        let followed = follow(child.stderr.take().expect("piped"), log.clone());
        tokio::time::sleep(time).await;
        child.kill().expect("the process can be killed");
        child.wait().expect("the process is gone");
        followed.join().expect("the end of what it has printed");
        let log = log.lock().unwrap();
        log.clone()
    }

    /// Runs the program to its end.
    pub fn run(self) -> Ended {
        Ended::of(self.command().output().expect("the program starts"))
    }

    /// Runs the program to its end, with `input` on its standard input.
    pub fn run_with_input(self, input: &[u8]) -> Ended {
        let mut child = self.command().stdin(Stdio::piped()).spawn().expect("the program starts");
        child.stdin.take().expect("piped").write_all(input).expect("the program reads");
        Ended::of(child.wait_with_output().expect("the program ends"))
    }

    /// Starts the program and leaves it alone.
    pub fn spawn(self) -> Child {
        self.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
    }

    /// The program with its arguments, in its directory.
    pub fn command(&self) -> Command {
        let mut command = match self.descriptors {
            None => Command::new(PROGRAM),
            Some((soft, hard)) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\""), PROGRAM]);
                shell
            }
        };
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.current_dir(self.directory.path()).args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Ended {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Default for Launch {
    fn default() -> Self {
        Self::new()
    }
}

/// A running program. Dropping it kills the process; a failing test shows its log.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    scheme: &'static str,
    pub directory: Arc<TempDir>,
    log: Arc<Mutex<String>>,
    pub client: reqwest::Client,
    _nobody: Vec<TcpSocket>,
}

impl Server {
    /// Starts with defaults, and with nobody to scrape.
    pub async fn start() -> Self {
        Launch::new().start().await
    }

    /// What the program has printed so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that the program has had so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the program runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Vec::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[("content-type", "application/json")], body.to_string().into()).await
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = self.client.request(method, self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.body(body);
        }
        Answer::read(request.send().await.unwrap_or_else(|error| panic!("{path}: {error:?}"))).await
    }

    /// Pushes rows, which must be taken.
    pub async fn ingest(&self, table: &str, rows: &Value) {
        let answer = self.post(&format!("/api/ingest/{table}"), rows).await.expect(200).json();
        let count = rows.as_array().map_or(1, Vec::len);
        assert_eq!(answer, json!({"table": table, "rows": count}));
    }

    /// The rows of a statement.
    pub async fn sql(&self, sql: &str) -> Vec<Value> {
        let answer = self.post("/api/sql", &json!({"sql": sql})).await.expect(200).json();
        answer.as_array().unwrap_or_else(|| panic!("rows are an array: {answer}")).clone()
    }

    /// The one value of a statement.
    pub async fn sql_value(&self, sql: &str) -> Value {
        let rows = self.sql(sql).await;
        let row = rows.first().and_then(Value::as_object).expect("a row");
        row.values().next().expect("a column").clone()
    }

    /// Asks the program to end, and waits until it has.
    pub async fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.ended().await
    }

    /// Ends the program as a power failure would.
    pub fn kill(&mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process is gone");
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits until the program has ended on its own.
    pub async fn ended(&mut self) -> Option<i32> {
        let child = &mut self.child;
        eventually_within(Duration::from_secs(30), "the program ends", async || child.try_wait().expect("a child"))
            .await
            .code()
    }

    fn announced(&mut self) -> Option<SocketAddr> {
        let log = self.log();
        if let Some(status) = self.child.try_wait().expect("a child") {
            panic!("the program ended at start, {status}:\n{log}");
        }
        let marker = format!("listening on {}://", self.scheme);
        let rest = log.split_once(&marker)?.1;
        let (address, _) = rest.split_once(|character: char| !"0123456789.:".contains(character))?;
        Some(address.parse().unwrap_or_else(|_| panic!("an address in the log: {address}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the program printed:\n{}\n---", self.log());
        }
    }
}

/// Copies what the program prints, line by line, so that it never waits for a reader.
fn follow(stream: impl Read + Send + 'static, log: Arc<Mutex<String>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    })
}
