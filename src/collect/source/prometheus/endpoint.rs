//! One endpoint, fetched when it is due.

use std::time::{Duration, Instant};

use reqwest::header::ACCEPT;
use reqwest::{Client, StatusCode};

use super::Exposition;
use crate::collect::backoff::Backoff;

/// No exposition of a desk comes near this size; an endpoint that sends more is not one.
const LARGEST_BODY: usize = 16 << 20;
/// The text format that is parsed here.
const TEXT_FORMAT: &str = "text/plain;version=0.0.4";

/// The endpoint of one service.
pub(in crate::collect) struct Endpoint {
    url: String,
    timeout: Duration,
    client: Option<Client>,
    backoff: Backoff,
    not_before: Option<Instant>,
}

/// What came of a round.
pub(in crate::collect) enum Scrape {
    /// The service answered.
    Answered(Exposition),
    /// It did not.
    Failed(ScrapeError),
    /// It did not the last time, and it is too early to ask again.
    Waiting,
}

/// Why a scrape failed.
#[derive(Debug, thiserror::Error)]
pub(in crate::collect) enum ScrapeError {
    /// No connection, no answer in time, or a broken one.
    #[error("no answer from {url}: {reason}")]
    NoAnswer {
        /// Whom we asked.
        url: String,
        /// The innermost cause.
        reason: String,
    },
    /// An answer that is not the metrics.
    #[error("{url} answered {status}: check the address and path of the service's metrics")]
    Status {
        /// Whom we asked.
        url: String,
        /// What it said.
        status: StatusCode,
    },
    /// An answer without an end.
    #[error("{url} sent more than {} MiB: check that it is a metrics endpoint", LARGEST_BODY >> 20)]
    TooLarge {
        /// Whom we asked.
        url: String,
    },
    /// Parsing did not finish.
    #[error("the metrics of {url} could not be read: {reason}")]
    Unreadable {
        /// Whom we asked.
        url: String,
        /// Why.
        reason: String,
    },
}

impl Endpoint {
    /// The endpoint at `url`, which has `timeout` for an answer. Nothing is sent yet.
    pub(in crate::collect) fn new(url: &str, timeout: Duration) -> Self {
        Self { url: url.to_owned(), timeout, client: None, backoff: Backoff::default(), not_before: None }
    }

    /// Where it is.
    pub(in crate::collect) fn url(&self) -> &str {
        &self.url
    }

    /// Asks the service, unless it has just failed to answer.
    pub(in crate::collect) async fn scrape(&mut self) -> Scrape {
        if self.not_before.is_some_and(|instant| Instant::now() < instant) {
            return Scrape::Waiting;
        }
        match self.fetch().await {
            Ok(exposition) => {
                self.backoff.reset();
                self.not_before = None;
                Scrape::Answered(exposition)
            }
            Err(error) => {
                self.not_before = Instant::now().checked_add(self.backoff.next_delay());
                Scrape::Failed(error)
            }
        }
    }

    async fn fetch(&mut self) -> Result<Exposition, ScrapeError> {
        let body = self.body().await?;
        // A large exposition takes milliseconds to parse: not on a thread that serves sockets.
        let parsed = tokio::task::spawn_blocking(move || Exposition::parse(&String::from_utf8_lossy(&body))).await;
        parsed.map_err(|error| ScrapeError::Unreadable { url: self.url.clone(), reason: error.to_string() })
    }

    async fn body(&mut self) -> Result<Vec<u8>, ScrapeError> {
        let client = match &self.client {
            Some(client) => client,
            None => {
                // No proxy: the services are on the desk's own network. No redirects: an address is an address.
                let builder = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
                let client = builder.timeout(self.timeout).build().map_err(|error| no_answer(&self.url, &error))?;
                self.client.insert(client)
            }
        };
        let request = client.get(&self.url).header(ACCEPT, TEXT_FORMAT);
        let mut response = request.send().await.map_err(|error| no_answer(&self.url, &error))?;
        if response.status() != StatusCode::OK {
            return Err(ScrapeError::Status { url: self.url.clone(), status: response.status() });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(&self.url, &error))? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(ScrapeError::TooLarge { url: self.url.clone() });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The outer errors only say that sending failed; the innermost says why.
fn no_answer(url: &str, error: &reqwest::Error) -> ScrapeError {
    let reason = if error.is_timeout() {
        "it took too long".to_owned()
    } else {
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        cause.to_string()
    };
    ScrapeError::NoAnswer { url: url.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// An endpoint that answers every connection with `answer`.
    async fn service(answer: Vec<u8>) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(&answer).await;
            }
        });
        Endpoint::new(&url, Duration::from_secs(5))
    }

    fn answer(status: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[tokio::test]
    async fn an_answer_is_parsed() {
        let mut endpoint = service(answer("200 OK", "up 1\n")).await;
        let Scrape::Answered(exposition) = endpoint.scrape().await else { panic!("not answered") };
        assert_eq!(exposition.samples.len(), 1);
    }

    #[tokio::test]
    async fn another_status_is_a_failure_and_the_next_attempt_waits() {
        let mut endpoint = service(answer("404 Not Found", "")).await;
        assert!(matches!(endpoint.scrape().await, Scrape::Failed(ScrapeError::Status { .. })));
        assert!(matches!(endpoint.scrape().await, Scrape::Waiting));
    }

    #[tokio::test]
    async fn a_body_without_an_end_is_given_up() {
        let mut endpoint = service(answer("200 OK", &"# comment\n".repeat((LARGEST_BODY >> 3) + 1))).await;
        assert!(matches!(endpoint.scrape().await, Scrape::Failed(ScrapeError::TooLarge { .. })));
    }

    #[tokio::test]
    async fn a_service_that_is_down_is_a_failure_with_its_reason() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        drop(listener);
        let Scrape::Failed(error) = Endpoint::new(&url, Duration::from_secs(5)).scrape().await else {
            panic!("nobody listens")
        };
        assert!(error.to_string().contains("refused"), "{error}");
    }
}
