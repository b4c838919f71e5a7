//! A service of the desk, as far as a scraper can see it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Serves Prometheus text on loopback until it is stopped or dropped.
pub struct Exporter {
    address: SocketAddr,
    text: Arc<Mutex<String>>,
    serving: JoinHandle<()>,
}

impl Exporter {
    /// Serves `text` on a port that the system chooses.
    pub async fn start(text: &str) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.expect("a free port"), text)
    }

    fn listen(listener: TcpListener, text: &str) -> Self {
        let address = listener.local_addr().expect("the listener is bound");
        let text = Arc::new(Mutex::new(text.to_owned()));
        let served = text.clone();
        let answer = move || {
            let served = served.clone();
            async move { ([("content-type", "text/plain; version=0.0.4")], served.lock().unwrap().clone()) }
        };
        let router = Router::new().route("/metrics", get(answer));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("the exporter serves") });
        Self { address, text, serving }
    }

    /// Where it is scraped.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// What the next scrape sees.
    pub fn set(&self, text: &str) {
        text.clone_into(&mut self.text.lock().unwrap());
    }

    /// Stops serving, and returns where it was so that it can come back.
    pub async fn stop(mut self) -> SocketAddr {
        self.serving.abort();
        let _ended = (&mut self.serving).await;
        self.address
    }

    /// Serves again where one was stopped before.
    pub async fn restart(address: SocketAddr, text: &str) -> Self {
        let listener =
            super::eventually("the port of the exporter is free again", async || TcpListener::bind(address).await.ok());
        Self::listen(listener.await, text)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
