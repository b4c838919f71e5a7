//! The observability server of an algorithmic trading desk.
//!
//! The way of the data, and the modules in its order:
//!
//! * [`collect`] asks the desk's services and the machine, or plays a simulated market, and makes batches;
//!   [`ingest`] decodes the batches that others push.
//! * [`tables`] declares what a row is; [`batch`] is how rows move; [`live`] keeps the newest values.
//! * [`transfer`] reads rows of files and of other databases.
//! * [`store`] is the database: one writer, many readers; [`archive`] keeps its old days as files.
//! * [`query`] asks it: named questions of `queries/`, and users' own SQL.
//! * [`backup`] saves it while it is written to, and brings it back; [`location`] is where files are kept outside it.
//! * [`upkeep`] is what happens once a day: old days are archived, older ones dropped.
//! * [`encode`] turns answers into JSON, Arrow, Parquet, CSV.
//! * [`listen`] takes their connections in; [`serve`] is what they talk to; [`metrics`] counts what the server itself does.
//!
//! [`budget`] says who may take how much of what the machine gives.
//!
//! [`server::run`] puts them together; [`cli`] and [`config`] say how; [`log`], [`output_file`] and [`time`] serve them
//! all.

pub mod archive;
pub mod backup;
pub mod batch;
pub mod budget;
pub mod cli;
pub mod collect;
pub mod config;
pub mod encode;
pub mod ingest;
pub mod listen;
pub mod live;
pub mod location;
pub mod log;
pub mod metrics;
pub mod output_file;
pub mod query;
pub mod serve;
pub mod server;
pub mod store;
pub mod tables;
pub mod time;
pub mod transfer;
pub mod upkeep;
