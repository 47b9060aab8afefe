//! Components that are made to hurt whoever compiles them: small, or as large as they may be, and sound as far as the
//! format goes unless it says otherwise. They export nothing; a compiler that survives one finds no hook in it.

use std::fmt::Write as _;

const I32: u8 = 0x7f;
const I64: u8 = 0x7e;

/// Every bomb by its name. With a second of processor time most of them are ended by it.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("one giant function", giant_function(7_000_000)),
        ("a hundred thousand functions", many_functions(100_000)),
        ("a million types", many_types(1_000_000)),
        ("blocks nested a million deep", nested_blocks(1_000_000)),
        ("branches to everywhere", branches_to_everywhere(2_000)),
        ("components nested deep", nested_components(5_000)),
        ("a billion instances", billion_instances(9)),
        ("types nested deep", nested_types(50_000)),
        ("types that double", doubling_types(40)),
        ("a hundred thousand imports", many_imports(100_000)),
        ("an import with a long name", long_name(90_000)),
    ]
}

/// One function whose body is this many bytes of loads, multiplications and stores, all in one block.
pub(crate) fn giant_function(bytes: usize) -> Vec<u8> {
    // local.get 0, local.get 0, i64.load, local.get 1, i64.mul, i64.store, local.get 0, i32.const 9, i32.add, local.set 0
    let step = [0x20, 0, 0x20, 0, 0x29, 3, 0, 0x20, 1, 0x7e, 0x37, 3, 0, 0x20, 0, 0x41, 9, 0x6a, 0x21, 0];
    let body = step.repeat(bytes / step.len());
    of_module(&[types(&[(&[I32, I64], &[])]), functions(1), memory(), code(&[body])])
}

/// This many functions, each with something to do.
pub(crate) fn many_functions(count: usize) -> Vec<u8> {
    // local.get 0, i64.load, local.get 1, i64.mul, i64.popcnt, drop
    let body = vec![0x20, 0, 0x29, 3, 0, 0x20, 1, 0x7e, 0x7b, 0x1a];
    of_module(&[types(&[(&[I32, I64], &[])]), functions(count), memory(), code(&vec![body; count])])
}

/// This many different types of functions.
pub(crate) fn many_types(count: usize) -> Vec<u8> {
    let mut section = Vec::new();
    leb(&mut section, count);
    for at in 0..count {
        // Twenty parameters of two types are a million combinations.
        section.extend([0x60, 20]);
        section.extend((0..20).map(|bit| if at >> bit & 1 == 0 { I32 } else { I64 }));
        section.push(0);
    }
    of_module(&[(1, section)])
}

/// One function of blocks within blocks.
pub(crate) fn nested_blocks(depth: usize) -> Vec<u8> {
    let mut body = [0x02, 0x40].repeat(depth);
    body.extend(vec![0x0b; depth]);
    of_module(&[types(&[(&[], &[])]), functions(1), memory(), code(&[body])])
}

/// Nested loops, each with a table of branches to all of those around it, and values that live through all of them.
pub(crate) fn branches_to_everywhere(depth: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for at in 0..depth {
        // loop; local 0 := local 0 + local 1; block; br_table
        body.extend([0x03, 0x40, 0x20, 0, 0x41, 1, 0x6a, 0x21, 0, 0x02, 0x40, 0x20, 0, 0x0e]);
        leb(&mut body, at + 1);
        (0..=at + 1).for_each(|label| leb(&mut body, label));
        body.push(0x0b);
    }
    body.extend(vec![0x0b; depth]);
    of_module(&[types(&[(&[I32], &[])]), functions(1), memory(), code(&[body])])
}

/// A component in a component in a component.
pub(crate) fn nested_components(depth: usize) -> Vec<u8> {
    let mut component = component(&[]);
    for _ in 0..depth {
        component = self::component(&[(4, component)]);
    }
    component
}

/// Each component makes ten instances of the one before it, and the first makes an instance of a module: a few hundred
/// bytes that stand for ten to the power of `levels` instances.
pub(crate) fn billion_instances(levels: usize) -> Vec<u8> {
    let mut text = "(component (component $c0 (core module $m) (core instance (instantiate $m)))".to_owned();
    for level in 1..=levels {
        let instances = format!("(instance (instantiate $c{}))", level - 1).repeat(10);
        let _ = write!(text, "(component $c{level} {instances})");
    }
    let _ = write!(text, "(instance (instantiate $c{levels})))");
    wat::parse_str(text).unwrap()
}

/// A list of lists of lists.
pub(crate) fn nested_types(depth: usize) -> Vec<u8> {
    let mut section = Vec::new();
    leb(&mut section, depth);
    section.extend([0x70, 0x7d]);
    for at in 0..depth - 1 {
        section.push(0x70);
        index(&mut section, at);
    }
    component(&[(7, section)])
}

/// Each tuple holds the one before it twice.
pub(crate) fn doubling_types(depth: usize) -> Vec<u8> {
    let mut section = Vec::new();
    leb(&mut section, depth);
    section.extend([0x6f, 2, 0x7d, 0x7d]);
    for at in 0..depth - 1 {
        section.extend([0x6f, 2]);
        index(&mut section, at);
        index(&mut section, at);
    }
    component(&[(7, section)])
}

/// This many functions that nobody offers.
pub(crate) fn many_imports(count: usize) -> Vec<u8> {
    let mut imports = Vec::new();
    leb(&mut imports, count);
    for at in 0..count {
        let name = format!("f{at}");
        imports.push(0);
        leb(&mut imports, name.len());
        imports.extend(name.as_bytes());
        imports.extend([0x01, 0]);
    }
    // func()
    component(&[(7, vec![1, 0x40, 0, 1, 0]), (10, imports)])
}

/// One function that nobody offers, with a name of this many bytes.
pub(crate) fn long_name(bytes: usize) -> Vec<u8> {
    let mut import = vec![1, 0];
    leb(&mut import, bytes);
    import.extend(vec![b'f'; bytes]);
    import.extend([0x01, 0]);
    component(&[(7, vec![1, 0x40, 0, 1, 0]), (10, import)])
}

type Section = (u8, Vec<u8>);

fn leb(to: &mut Vec<u8>, number: usize) {
    groups(to, number, 0x80);
}

/// The index of a type, where a negative number would be a type without one.
fn index(to: &mut Vec<u8>, number: usize) {
    groups(to, number, 0x40);
}

/// Groups of seven bits, the lowest first; the last one is below `end`.
fn groups(to: &mut Vec<u8>, mut number: usize, end: usize) {
    while number >= end {
        to.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    to.push(number.to_le_bytes()[0]);
}

fn with_sections(header: &[u8; 8], sections: &[Section]) -> Vec<u8> {
    let mut bytes = header.to_vec();
    for (id, content) in sections {
        bytes.push(*id);
        leb(&mut bytes, content.len());
        bytes.extend(content);
    }
    bytes
}

fn component(sections: &[Section]) -> Vec<u8> {
    with_sections(b"\0asm\x0d\0\x01\0", sections)
}

/// A component of one module.
fn of_module(sections: &[Section]) -> Vec<u8> {
    component(&[(1, with_sections(b"\0asm\x01\0\0\0", sections))])
}

fn types(of: &[(&[u8], &[u8])]) -> Section {
    let mut section = Vec::new();
    leb(&mut section, of.len());
    for (parameters, results) in of {
        section.push(0x60);
        for list in [parameters, results] {
            leb(&mut section, list.len());
            section.extend(*list);
        }
    }
    (1, section)
}

/// Functions of the first type.
fn functions(count: usize) -> Section {
    let mut section = Vec::new();
    leb(&mut section, count);
    section.extend(vec![0; count]);
    (3, section)
}

/// A memory of one page.
fn memory() -> Section {
    (5, vec![1, 0, 1])
}

/// Bodies without locals; their `end` is added.
fn code(bodies: &[Vec<u8>]) -> Section {
    let mut section = Vec::new();
    leb(&mut section, bodies.len());
    for body in bodies {
        leb(&mut section, body.len() + 2);
        section.push(0);
        section.extend(body);
        section.push(0x0b);
    }
    (10, section)
}
