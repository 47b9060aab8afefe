;; Reads the clock 900 times and answers with `fine` when two readings were less than a millisecond apart.
;; outcome: answers
;; import wasi:clocks/monotonic-clock@0.2.0;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $now (result i64)))
  (memory (export "memory") 1)
  (data (i32.const 256) "fine")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (local $before i64) (local $after i64) (local $left i32)
    (local.set $left (i32.const 900))
    (local.set $before (call $now))
    (loop $again
      (local.set $after (call $now))
      (if (i64.ne (local.get $before) (local.get $after)) (then
        (if (i64.lt_u (i64.sub (local.get $after) (local.get $before)) (i64.const 1000000)) (then
          (i32.store8 (i32.const 2056) (i32.const 1))
          (i32.store (i32.const 2060) (i32.const 256))
          (i32.store (i32.const 2064) (i32.const 4))
          (return (i32.const 2048))))
        (local.set $before (local.get $after))))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (return (i32.const 2048))
    (i32.const 0)))
