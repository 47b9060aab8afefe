;; Asks the key-value store for 100,000 keys in one call.
;; outcome: answers
;; grants: keyvalue
;; import wasi:keyvalue/store@0.2.0-draft;
;; import wasi:keyvalue/batch@0.2.0-draft;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:keyvalue/store@0.2.0-draft" "open" (func $open (param i32 i32 i32)))
  (import "wasi:keyvalue/batch@0.2.0-draft" "get-many" (func $get-many (param i32 i32 i32 i32)))
  (memory (export "memory") 32)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (call $open (i32.const 0) (i32.const 0) (i32.const 128))
    (call $get-many (i32.load (i32.const 132)) (i32.const 65536) (i32.const 100000) (i32.const 128))
    ;; The url is what the host says about it.
    (if (i32.ne (i32.load8_u (i32.const 132)) (i32.const 2)) (then (unreachable)))
    (i32.store8 (i32.const 8) (i32.const 1))
    (i32.store (i32.const 12) (i32.load (i32.const 136)))
    (i32.store (i32.const 16) (i32.load (i32.const 140)))
    (i32.const 0)))
