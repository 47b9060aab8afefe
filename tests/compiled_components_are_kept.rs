//! A component is compiled once: the next start takes it from the cache, unless the cache is damaged.

use crate::support::{ABOUT_URL, NEW_URL, OLD_URL, Server, Site, about};

fn compiled(server: &Server, result: &str) -> f64 {
    server.metric("hookbox_compile_cache_total", &[("result", result)])
}

#[track_caller]
fn answers(server: &Server) {
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!(answer["kwargs"]["url"], NEW_URL);
}

#[test]
fn the_second_start_compiles_nothing() {
    let site = Site::empty();
    let first = site.serve();
    assert_eq!((compiled(&first, "miss"), compiled(&first, "hit")), (3.0, 0.0));
    answers(&first);
    drop(first);
    let second = site.serve();
    assert_eq!((compiled(&second, "miss"), compiled(&second, "hit")), (0.0, 3.0));
    answers(&second);
}

#[test]
fn a_damaged_file_is_compiled_again() {
    let site = Site::empty();
    drop(site.serve());
    let mut damaged = 0.0;
    for entry in std::fs::read_dir(site.data().join("cache/components")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        std::fs::write(&path, bytes).unwrap();
        damaged += 1.0;
    }
    assert_eq!(damaged, 3.0);
    let server = site.serve();
    assert_eq!((compiled(&server, "damaged"), compiled(&server, "hit")), (damaged, 0.0));
    answers(&server);
    drop(server);
    assert_eq!(compiled(&site.serve(), "hit"), 3.0);
}
