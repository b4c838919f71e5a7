//! From options to settings: what is given wins over the file, the file over the defaults.

use std::path::PathBuf;

use super::error::Unusable;
use super::options::Options;
use crate::config::{DEMO_DATABASE, DemoSettings, Settings, TlsSettings};

/// Lays `given` (command line and environment) over `file`, and both over the defaults.
///
/// The demo never uses the database and the archive that the file names: those are the desk's.
pub(super) fn resolve(given: Options, mut file: Options) -> Result<Settings, Unusable> {
    let mut settings = Settings::default();
    let demo = given.collect.demo.or(file.collect.demo).unwrap_or(false);
    if demo {
        settings.collect.demo = Some(DemoSettings::default());
        settings.store.path = PathBuf::from(DEMO_DATABASE);
        file.store.database = None;
        file.archive.archive_location = None;
    }
    settings.server.tls = tls(
        given.server.ssl_certfile.clone().or(file.server.ssl_certfile.clone()),
        given.server.ssl_keyfile.clone().or(file.server.ssl_keyfile.clone()),
    )?;
    let sql = given.query.query_memory_limit.or(file.query.query_memory_limit);
    file.apply(&mut settings);
    given.apply(&mut settings);
    // A part of what the server may take: less of it can be set, more cannot.
    let share = usize::try_from(settings.store.memory().sql).unwrap_or(usize::MAX);
    settings.query.memory_limit_bytes = sql.map_or(share, |sql| share.min(sql.into()));
    settings.check_memory()?;
    Ok(settings)
}

fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<TlsSettings>, Unusable> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => {
            let settings = TlsSettings { certificate, key };
            settings.load()?;
            Ok(Some(settings))
        }
        (Some(_), None) => Err(Unusable::HalfOfTls { given: "ssl-certfile", missing: "ssl-keyfile" }),
        (None, Some(_)) => Err(Unusable::HalfOfTls { given: "ssl-keyfile", missing: "ssl-certfile" }),
    }
}
