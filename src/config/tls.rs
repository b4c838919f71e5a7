//! Certificate and key: read, and checked against each other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsSettings;

/// A certificate and key that cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file.
    #[error("ssl-certfile {path}: {reason}; a PEM file with the certificate chain is needed")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key file.
    #[error("ssl-keyfile {path}: {reason}; a PEM file with one unencrypted private key is needed")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Each is readable, but they are not a pair.
    #[error("ssl-certfile {certificate} and ssl-keyfile {key} do not go together: {reason}")]
    Mismatch {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What the TLS library says.
        reason: rustls::Error,
    },
}

impl TlsSettings {
    /// Reads both files, and makes of them what an HTTPS listener serves with.
    pub fn load(&self) -> Result<ServerConfig, TlsError> {
        let certificates = certificates(&self.certificate)
            .map_err(|reason| TlsError::Certificate { path: self.certificate.clone(), reason })?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| TlsError::Key { path: self.key.clone(), reason: reason(error) })?;
        let mismatch =
            |reason| TlsError::Mismatch { certificate: self.certificate.clone(), key: self.key.clone(), reason };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(mismatch)?
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(mismatch)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(reason)?.collect::<Result<_, _>>().map_err(reason)?;
    if found.is_empty() { Err("no certificate in it".into()) } else { Ok(found) }
}

fn reason(error: pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "nothing of the kind in it".into(),
        other => other.to_string(),
    }
}
