//! The money: the retailer's and suppliers' bridges, ratios, burned budget.

mod bridge;
mod burned;
mod ratios;

pub use bridge::{MoneyRow, Profit, SupplierBridge};
pub use burned::{BurnedBounds, BurnedBudget, BurnedState};
pub use ratios::RatioEstimate;

pub(crate) use bridge::{Books, bridge, limits, sides};
pub(crate) use burned::{Redemptions, burned_budget};
pub(crate) use ratios::ratios;
