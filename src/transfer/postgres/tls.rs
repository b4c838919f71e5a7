//! Whose certificates are trusted.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresError;

/// Encrypts connections to servers whose certificate one of `roots` vouches for; without a file, one of the machine's.
pub(super) fn connector(roots: Option<&Path>) -> Result<MakeRustlsConnect, PostgresError> {
    let mut trusted = RootCertStore::empty();
    match roots {
        Some(path) => {
            let refused = |reason: String| PostgresError::Certificates { path: path.to_owned(), reason };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))? {
                let certificate = certificate.map_err(|error| refused(error.to_string()))?;
                trusted.add(certificate).map_err(|error| refused(error.to_string()))?;
            }
            if trusted.is_empty() {
                return Err(refused("there are none in it".to_owned()));
            }
        }
        None => {
            trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
