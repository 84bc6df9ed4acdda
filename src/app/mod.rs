//! What every command needs: settings, clients, the store, inventories, the audit, output and exit codes.

mod app_context;
pub mod audit;
mod clients;
mod console;
mod exit_status;
mod input;
mod inventories;
mod load_config;
mod online_checks;
mod outbound;
pub(crate) mod output;
mod progress_bar;
pub mod releases;
mod run_instants;
mod stored_report;

pub use self::{
    app_context::AppContext,
    clients::AppClients,
    console::{Console, is_colored},
    exit_status::ExitStatus,
    inventories::sources,
    load_config::loaded,
    outbound::OutboundClients,
    run_instants::RunInstants,
};
pub(crate) use self::{
    app_context::{LOCK_WAIT, catalogs, open_store},
    input::read_input,
    inventories::aws_scope,
    load_config::loaded_as,
    online_checks::{CheckOutcome, OnlineCheck, check_online},
    progress_bar::RunProgressBar,
    stored_report::{latest_report, record_report, report_named, report_outline},
};
