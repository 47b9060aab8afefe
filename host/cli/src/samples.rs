//! The sample plugins that the binary carries.

use hookbox_plugins::Sample;

/// All samples. They run when the configuration names no other plugin.
pub(crate) const SAMPLES: &[Sample] = &[
    Sample {
        name: "catalog-logger",
        component: include_bytes!("../../../guest-plugins/prebuilt/catalog-logger.wasm"),
    },
    Sample {
        name: "course-about-url",
        component: include_bytes!("../../../guest-plugins/prebuilt/course-about-url.wasm"),
    },
    Sample {
        name: "enrollment-guard",
        component: include_bytes!("../../../guest-plugins/prebuilt/enrollment-guard.wasm"),
    },
];
