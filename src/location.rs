//! Where files are kept outside the database: a directory, or a prefix of a bucket of an S3-compatible object store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;

/// What an address of an object store begins with.
const S3: &str = "s3://";

/// A place for files, by its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A bucket, and what all names in it begin with.
    Bucket {
        /// The bucket.
        bucket: String,
        /// The prefix, without a slash at either end; empty for none.
        prefix: String,
    },
}

/// A place that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    /// The address of a bucket without its name.
    #[error("{0:?} names no bucket: write s3://bucket or s3://bucket/prefix")]
    NoBucket(String),
    /// The directory cannot be made.
    #[error("cannot use the directory {}: {source}", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The object store refused.
    #[error("cannot use {location}: {source}")]
    Store {
        /// The address.
        location: String,
        /// What is wrong.
        source: object_store::Error,
    },
}

impl Location {
    /// Reads `s3://bucket/prefix`; anything else is a directory.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        let (scheme, address) = text.split_at_checked(S3.len()).unwrap_or((text, ""));
        if !scheme.eq_ignore_ascii_case(S3) {
            return Ok(Self::Directory(PathBuf::from(text)));
        }
        let (bucket, prefix) = address.split_once('/').unwrap_or((address, ""));
        if bucket.is_empty() {
            return Err(LocationError::NoBucket(text.to_owned()));
        }
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }

    /// The directory, where it is one.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Directory(path) => Some(path),
            Self::Bucket { .. } => None,
        }
    }

    /// Opens it; a directory is created when it is missing. Names in the store are relative to the location.
    ///
    /// Keys, region and endpoint of a bucket come from the environment, in the usual variables: `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`, and `AWS_ALLOW_HTTP=true` for a store without TLS.
    pub fn open(&self) -> Result<Arc<dyn ObjectStore>, LocationError> {
        let refused = |source| LocationError::Store { location: self.to_string(), source };
        match self {
            Self::Directory(path) => {
                std::fs::create_dir_all(path)
                    .map_err(|source| LocationError::Directory { path: path.clone(), source })?;
                Ok(Arc::new(LocalFileSystem::new_with_prefix(path).map_err(refused)?))
            }
            Self::Bucket { bucket, prefix } => {
                let store = AmazonS3Builder::from_env().with_bucket_name(bucket).build().map_err(refused)?;
                Ok(Arc::new(PrefixStore::new(store, prefix.as_str())))
            }
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(formatter, "{}", path.display()),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(formatter, "{S3}{bucket}"),
            Self::Bucket { bucket, prefix } => write!(formatter, "{S3}{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_alike() {
        for text in ["archive", "/var/lib/observability", "s3://desk", "s3://desk/archive/a"] {
            assert_eq!(Location::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Location::parse("S3://desk/archive").unwrap(), Location::parse("s3://desk/archive").unwrap());
        assert!(matches!(Location::parse("s3:///archive"), Err(LocationError::NoBucket(_))));
    }
}
