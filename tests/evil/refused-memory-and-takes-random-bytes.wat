;; Is refused memory, gets over it, and then asks for more random bytes than it may have.
;; outcome: fails random-bytes
;; import wasi:random/random@0.2.0;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (drop (memory.grow (i32.const 65000)))
    (call $random (i64.const 1000000000) (i32.const 512))
    (i32.const 0)))
