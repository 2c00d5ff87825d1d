//! Ctrl-C, SIGTERM and SIGUSR1 (which Slurm sends before a job's time is up): they stop work at the next suitable moment, if it can be stopped, and otherwise end the process.

use crate::error::{Error, Result};
use crate::observer::Session;

/// Lets Ctrl-C, SIGTERM and SIGUSR1 stop the work of a session. The second signal ends the process at once.
pub(crate) fn stop_by_signals(session: &Session) -> Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag::{register, register_conditional_shutdown};
    let mut signals = vec![SIGINT, SIGTERM];
    #[cfg(unix)]
    signals.push(signal_hook::consts::SIGUSR1);
    for signal in signals {
        // In this order: what is set by this signal must not make it the second one.
        register_conditional_shutdown(signal, 130, session.unwatched.clone())
            .and_then(|_| register_conditional_shutdown(signal, 130, session.stop.clone()))
            .and_then(|_| register(signal, session.stop.clone()))
            .map_err(Error::io("signals", "listen to"))?;
    }
    Ok(())
}
