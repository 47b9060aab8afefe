//! A heap that begins inside the memory a plugin has from the start.
//!
//! The standard library asks for its first memory with `memory.grow`. A host that makes a fresh instance for every call
//! then changes the memory's protection twice a call, which is most of what a small call costs. This is the same
//! allocator, dlmalloc, with a first region of [`FIRST_BYTES`] that is there already; it grows beyond that as usual.
//!
//! A plugin that links this crate has it: `use first_heap as _;`.
#![cfg_attr(not(target_family = "wasm"), no_std)]

/// Bytes of the first region: enough for the calls of most plugins.
pub const FIRST_BYTES: usize = 128 * 1024;

#[cfg(target_family = "wasm")]
mod heap {
    use core::alloc::{GlobalAlloc, Layout};
    use core::arch::wasm32::memory_grow;
    use core::cell::{Cell, UnsafeCell};
    use core::ptr;

    use dlmalloc::{Allocator, Dlmalloc};

    use super::FIRST_BYTES;

    const PAGE: usize = 64 * 1024;

    #[repr(align(16))]
    struct First(UnsafeCell<[u8; FIRST_BYTES]>);

    // SAFETY: a plugin has one thread.
    unsafe impl Sync for First {}

    static FIRST: First = First(UnsafeCell::new([0; FIRST_BYTES]));

    /// Where dlmalloc gets its regions.
    struct Regions {
        first_is_taken: Cell<bool>,
    }

    // SAFETY: every region is given out once: the first one guarded by the flag, later ones made by `memory.grow`.
    // None is ever moved or taken back.
    unsafe impl Allocator for Regions {
        fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
            if size <= FIRST_BYTES && !self.first_is_taken.replace(true) {
                return (FIRST.0.get().cast(), FIRST_BYTES, 0);
            }
            let pages = size.div_ceil(PAGE);
            match memory_grow(0, pages) {
                usize::MAX => (ptr::null_mut(), 0, 0),
                before => ((before * PAGE) as *mut u8, pages * PAGE, 0),
            }
        }

        fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
            ptr::null_mut()
        }

        fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
            false
        }

        fn free(&self, _: *mut u8, _: usize) -> bool {
            false
        }

        fn can_release_part(&self, _: u32) -> bool {
            false
        }

        fn allocates_zeros(&self) -> bool {
            true
        }

        fn page_size(&self) -> usize {
            PAGE
        }
    }

    struct Heap(UnsafeCell<Dlmalloc<Regions>>);

    // SAFETY: a plugin has one thread.
    unsafe impl Sync for Heap {}

    // SAFETY: dlmalloc keeps the contract; with one thread, no two calls hold the cell at once.
    unsafe impl GlobalAlloc for Heap {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            unsafe { (*self.0.get()).malloc(layout.size(), layout.align()) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            unsafe { (*self.0.get()).calloc(layout.size(), layout.align()) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            unsafe { (*self.0.get()).free(pointer, layout.size(), layout.align()) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            unsafe { (*self.0.get()).realloc(pointer, layout.size(), layout.align(), size) }
        }
    }

    #[global_allocator]
    static HEAP: Heap =
        Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(Regions { first_is_taken: Cell::new(false) })));
}
