//! What a query can see: the five tables and DataFusion's functions. No files, no network, no settings.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider};
use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder, SessionStateDefaults};
use datafusion::object_store::ObjectStore;
use datafusion::optimizer::Optimizer;
use datafusion::prelude::SessionConfig;
use url::Url;

use super::aggregates::AggregateInStore;
use super::functions;
use super::stored_table::StoredTable;
use super::top_rows::TopRowsInStore;
use super::worker::Allowance;
use crate::tables::TABLES;

/// The catalogue's name in SQL: `observability.public.trades`.
const CATALOG: &str = "observability";
const SCHEMA: &str = "public";

/// Queries within queries and terms in parentheses.
const NESTING: usize = 100;

/// What the program itself takes of a worker's memory.
const PROGRAM_BYTES: usize = 64 << 20;

/// A session that knows our tables and nothing else.
///
/// Sorting, grouping and joining take their memory from a pool, so that they end with an error before the process has to
/// be ended. What else a query allocates is not counted there.
pub(super) fn session(allowance: Allowance) -> Result<SessionState> {
    let pool = GreedyMemoryPool::new(allowance.memory.saturating_sub(PROGRAM_BYTES).max(allowance.memory / 4));
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(TrackConsumersPool::new(pool, NonZeroUsize::MIN)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .with_object_store_registry(Arc::new(NoObjectStores))
        .build_arc()?;
    Ok(SessionStateBuilder::new()
        .with_config(config(allowance.threads))
        .with_runtime_env(runtime)
        .with_catalog_list(catalogs()?)
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
        .with_scalar_functions(scalar_functions())
        .with_higher_order_functions(SessionStateDefaults::default_higher_order_functions())
        .with_aggregate_functions(aggregate_functions())
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .with_table_function_list(SessionStateDefaults::default_table_functions())
        .with_optimizer_rules(optimizer_rules())
        .build())
}

/// The name of DataFusion's last look at a plan.
const LAST_LOOK: &str = "SanityCheckPlan";

/// Whether a plan was made that DataFusion itself does not trust. DataFusion 54 loses sight of the order of rows where a
/// CASE, and some other expressions, are a part of what rows are ordered by, and then takes sorted rows for unsorted ones.
pub(super) fn is_doubted(error: &DataFusionError) -> bool {
    match error {
        DataFusionError::Context(rule, inner) => rule == LAST_LOOK || is_doubted(inner),
        DataFusionError::Diagnostic(_, inner) => is_doubted(inner),
        DataFusionError::Shared(inner) => is_doubted(inner),
        _ => false,
    }
}

/// The same session for a plan that was doubted: in one partition nothing has to be merged in an order, and where DataFusion
/// does not see that rows are sorted it sorts them. So the last look, which would fail again, is not needed.
pub(super) fn one_partition(mut state: SessionState) -> SessionState {
    state.config_mut().options_mut().execution.target_partitions = 1;
    let rules = state.physical_optimizers().iter().filter(|rule| rule.name() != LAST_LOOK).cloned().collect();
    SessionStateBuilder::new_from_existing(state).with_physical_optimizer_rules(rules).build()
}

fn config(threads: usize) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(threads.max(1))
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, SCHEMA);
    let options = config.options_mut();
    options.sql_parser.recursion_limit = NESTING;
    // Clients and the store read plain strings.
    options.sql_parser.map_string_types_to_utf8view = false;
    // As in the store, so that the first rows of an order are the same there and here.
    options.sql_parser.default_null_ordering = "nulls_last".to_owned();
    config
}

fn catalogs() -> Result<Arc<dyn CatalogProviderList>> {
    let schema = MemorySchemaProvider::new();
    for table in TABLES {
        schema.register_table(table.name.to_owned(), Arc::new(StoredTable::new(table)))?;
    }
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(schema))?;
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    Ok(Arc::new(catalogs))
}

/// Of two functions with one name the last one counts.
fn scalar_functions() -> Vec<Arc<datafusion::logical_expr::ScalarUDF>> {
    SessionStateDefaults::default_scalar_functions().into_iter().chain(functions::scalars()).collect()
}

fn aggregate_functions() -> Vec<Arc<datafusion::logical_expr::AggregateUDF>> {
    SessionStateDefaults::default_aggregate_functions().into_iter().chain(functions::aggregates()).collect()
}

/// DataFusion's rules, with ours right after filters and limits have reached the scans and constants have left the groups
/// (which changes what there is of no rows), and before common parts of expressions are pulled out of them.
fn optimizer_rules() -> Vec<Arc<dyn datafusion::optimizer::OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    let after = rules.iter().position(|rule| rule.name() == "eliminate_group_by_constant");
    let after = after.map_or(rules.len(), |position| position + 1);
    rules.insert(after, Arc::new(TopRowsInStore));
    rules.insert(after, Arc::new(AggregateInStore));
    rules
}

/// No address leads anywhere.
#[derive(Debug)]
struct NoObjectStores;

impl ObjectStoreRegistry for NoObjectStores {
    fn register_store(&self, _: &Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        Err(DataFusionError::Plan(format!("files and addresses can not be read from SQL: {url}")))
    }
}
