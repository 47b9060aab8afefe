//! `wasi:random`: bytes from the host's generator, as many in a call as its limit allows.

use rand::RngCore;
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};

use crate::limits::Limit;
use crate::state::CallState;

pub(super) fn link(linker: &mut Linker<CallState>) -> Result<()> {
    random::add_to_linker::<_, HasSelf<CallState>>(linker, |state| state)?;
    insecure::add_to_linker::<_, HasSelf<CallState>>(linker, |state| state)?;
    insecure_seed::add_to_linker::<_, HasSelf<CallState>>(linker, |state| state)
}

impl CallState {
    /// Random bytes, counted against the call's budget before there are any.
    fn random(&mut self, length: u64) -> Result<Vec<u8>> {
        self.count_host_call()?;
        let total = self.random_bytes.saturating_add(length);
        if total > self.owner.limits.random_bytes as u64 {
            self.refused = Some((Limit::RandomBytes, total));
            return Err(wasmtime::format_err!("random byte budget spent"));
        }
        self.random_bytes = total;
        let mut bytes = vec![0; usize::try_from(length)?];
        match &self.tape {
            None => rand::rng().fill_bytes(&mut bytes),
            Some(tape) => tape.fill(&mut bytes),
        }
        Ok(bytes)
    }

    fn random_number(&mut self) -> Result<u64> {
        let bytes = self.random(8)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

impl random::Host for CallState {
    fn get_random_bytes(&mut self, length: u64) -> Result<Vec<u8>> {
        self.random(length)
    }

    fn get_random_u64(&mut self) -> Result<u64> {
        self.random_number()
    }
}

/// The generator for what needs no secrets is the same one: it costs a guest nothing to be safe.
impl insecure::Host for CallState {
    fn get_insecure_random_bytes(&mut self, length: u64) -> Result<Vec<u8>> {
        self.random(length)
    }

    fn get_insecure_random_u64(&mut self) -> Result<u64> {
        self.random_number()
    }
}

impl insecure_seed::Host for CallState {
    fn insecure_seed(&mut self) -> Result<(u64, u64)> {
        Ok((self.random_number()?, self.random_number()?))
    }
}
