//! An S3 server of its own for a test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::{Launch, python};

/// A running S3 server with one bucket. It ends when this is dropped, or when the test is gone.
pub struct S3 {
    child: Child,
    address: String,
}

impl S3 {
    /// The bucket.
    pub const BUCKET: &'static str = "desk";

    /// Starts a server on a free port; `None` when there is no Python to run it with.
    pub fn start() -> Option<Self> {
        let (interpreter, script) = python::script("s3_server.py")?;
        let mut command = Command::new(interpreter);
        command.arg(script).arg(Self::BUCKET).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("OBSERVABILITY_PYTHON runs");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut address).expect("it prints its address");
        assert!(address.starts_with("http://"), "s3_server.py did not start: {address:?}");
        Some(Self { child, address: address.trim().to_owned() })
    }

    /// An address in the bucket.
    pub fn location(&self, prefix: &str) -> String {
        format!("s3://{}/{prefix}", Self::BUCKET)
    }

    /// Removes an object.
    pub async fn remove(&self, name: &str) {
        let store = object_store::aws::AmazonS3Builder::new()
            .with_bucket_name(Self::BUCKET)
            .with_endpoint(&self.address)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_access_key_id("key")
            .with_secret_access_key("secret");
        let store = store.build().expect("a client");
        let removed = object_store::ObjectStoreExt::delete(&store, &name.into()).await;
        removed.expect("the object is there");
    }

    /// Stops answering, as a bucket out of reach, until [`answer_again`](Self::answer_again).
    pub fn stop_answering(&self) {
        self.signal("STOP");
    }

    /// Answers what was asked meanwhile, and goes on.
    pub fn answer_again(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Lets a program use the server, in the way that its users do.
    pub fn known_to(&self, launch: Launch) -> Launch {
        launch
            .environment("AWS_ENDPOINT_URL", &self.address)
            .environment("AWS_ALLOW_HTTP", "true")
            .environment("AWS_REGION", "us-east-1")
            .environment("AWS_ACCESS_KEY_ID", "key")
            .environment("AWS_SECRET_ACCESS_KEY", "secret")
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // Its standard input ends with this, so that it would go by itself as well.
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
