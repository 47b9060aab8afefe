;; Counts its calls: the url it answers with is as many letters long as it was called before. Traps when the url begins
;; with `!`.
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (memory (export "memory") 1)
  (global $calls (mut i32) (i32.const 0))
  (global $free (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.set $free (i32.add (global.get $free) (local.get 3)))
    (i32.sub (global.get $free) (local.get 3)))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (if (i32.eq (i32.load8_u (local.get $url)) (i32.const 0x21)) (then (unreachable)))
    (memory.fill (i32.const 4096) (i32.const 0x78) (global.get $calls))
    (i32.store8 (i32.const 8) (i32.const 1)) ;; some url
    (i32.store (i32.const 12) (i32.const 4096))
    (i32.store (i32.const 16) (global.get $calls))
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.const 0)))
