//! Components that no record names yet, although their files are needed: those that are being admitted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many admissions each component is in, by digest.
#[derive(Debug, Default)]
pub(super) struct OnTheWay(Mutex<BTreeMap<String, usize>>);

/// One admission of a component. Nobody removes its files as long as this lives.
#[derive(Debug)]
pub(super) struct Travels {
    all: Arc<OnTheWay>,
    digest: String,
}

impl OnTheWay {
    pub(super) fn begin(self: &Arc<Self>, digest: &str) -> Travels {
        *self.counts().entry(digest.to_owned()).or_default() += 1;
        Travels { all: Arc::clone(self), digest: digest.to_owned() }
    }

    pub(super) fn has(&self, digest: &str) -> bool {
        self.counts().contains_key(digest)
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Travels {
    fn drop(&mut self) {
        let mut counts = self.all.counts();
        match counts.get_mut(&self.digest) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                counts.remove(&self.digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_on_the_way_until_its_last_admission_ends() {
        let all = Arc::new(OnTheWay::default());
        let (first, second) = (all.begin("a"), all.begin("a"));
        drop(first);
        assert!(all.has("a") && !all.has("b"));
        drop(second);
        assert!(!all.has("a"));
    }
}
