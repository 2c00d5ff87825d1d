//! Ctrl-C and SIGTERM: a request to stop at the next suitable moment.

use cpc::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A flag that Ctrl-C and SIGTERM set. The second signal ends the process at once.
pub(crate) fn interruptible() -> Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, stop.clone())
            .and_then(|_| signal_hook::flag::register(signal, stop.clone()))
            .map_err(Error::io("signals", "listen to"))?;
    }
    Ok(stop)
}
