//! A PostgreSQL server in a directory of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use tokio_postgres::NoTls;

/// A running server, reached through a socket in its directory. Dropping it stops it.
pub struct Postgres {
    directory: TempDir,
    programs: PathBuf,
    user: Option<&'static str>,
    port: u16,
}

impl Postgres {
    /// Starts a server; `None`, and a word about it, where the machine has no PostgreSQL.
    pub fn start() -> Option<Self> {
        Self::start_with(|_| Vec::new())
    }

    /// Starts a server that listens on a port of 127.0.0.1 too, with TLS.
    pub fn start_with_tls(certificate: &Path, key: &Path) -> Option<Self> {
        Self::start_with(|server| {
            let copy = |from: &Path, name: &str| {
                let to = server.directory.path().join(name);
                std::fs::copy(from, &to).expect("the file can be copied");
                server.give_away(&to);
                run(Command::new("chmod").arg("600").arg(&to));
                to.display().to_string()
            };
            vec![
                "listen_addresses=127.0.0.1".to_owned(),
                "ssl=on".to_owned(),
                format!("ssl_cert_file={}", copy(certificate, "server.crt")),
                format!("ssl_key_file={}", copy(key, "server.key")),
            ]
        })
    }

    fn start_with(settings: impl FnOnce(&Self) -> Vec<String>) -> Option<Self> {
        let Some(programs) = programs() else {
            println!("SKIPPED: there is no PostgreSQL on this machine; on Debian, install the package postgresql");
            return None;
        };
        let directory = TempDir::new().expect("a temporary directory");
        // A server that is started beside this one between here and there would take the port: the system hands them
        // out in turn, so that this does not happen.
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let server = Self { directory, programs, user: unprivileged_user(), port };
        let path = server.directory.path();
        server.give_away(path);
        run(server.program("initdb").args(["-U", "postgres", "-A", "trust", "--no-sync", "-D"]).arg(path.join("data")));
        let mut all =
            vec![format!("port={port}"), format!("unix_socket_directories={}", path.display()), "fsync=off".to_owned()];
        let settings = settings(&server);
        if settings.is_empty() {
            all.push("listen_addresses=".to_owned());
        }
        all.extend(settings);
        let options: String = all.iter().map(|setting| format!("-c {setting} ")).collect();
        let mut start = server.program("pg_ctl");
        start.arg("start").arg("-w").arg("-D").arg(path.join("data")).arg("-o").arg(options);
        run(start.arg("-l").arg(path.join("log")));
        Some(server)
    }

    /// Its address as `--url` takes it, through the socket.
    pub fn url(&self) -> String {
        let directory = self.directory.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{directory}:{}/postgres", self.port)
    }

    /// Its address over the network.
    pub fn network_url(&self, parameters: &str) -> String {
        format!("postgres://postgres@localhost:{}/postgres?hostaddr=127.0.0.1&{parameters}", self.port)
    }

    /// Runs statements, which must succeed.
    pub async fn execute(&self, sql: &str) {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await.expect("the server answers");
        let connection = tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        drop(client);
        connection.await.expect("no panic").expect("an orderly end");
    }

    /// A program of the server, run by a user that it accepts.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = match self.user {
            Some(user) => {
                let mut command = Command::new("runuser");
                command.args(["-u", user, "--"]).arg(path);
                command
            }
            None => Command::new(path),
        };
        command.current_dir(self.directory.path());
        command
    }

    fn give_away(&self, path: &Path) {
        if let Some(user) = self.user {
            run(Command::new("chown").arg(user).arg(path));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        let _gone_already =
            stop.args(["stop", "-m", "immediate", "-D"]).arg(self.directory.path().join("data")).output();
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default());
        }
    }
}

/// Where the server's programs are: on the path, or where Debian puts them.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    places.extend(versions.map(|version| version.path().join("bin")));
    let initdb = places.into_iter().map(|place| place.join("initdb")).find(|path| path.is_file())?;
    Some(initdb.canonicalize().ok()?.parent()?.to_owned())
}

/// The server refuses to be run by root: another user of the machine does it then.
fn unprivileged_user() -> Option<&'static str> {
    if String::from_utf8_lossy(&run(Command::new("id").arg("-u")).stdout).trim() != "0" {
        return None;
    }
    let exists = |user: &&&str| Command::new("id").arg(user).output().is_ok_and(|output| output.status.success());
    ["postgres", "nobody"].iter().find(exists).copied()
}

#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
