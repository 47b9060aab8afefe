;; Opens buckets of the key-value store and never closes one.
;; outcome: fails handles
;; grants: keyvalue
;; import wasi:keyvalue/store@0.2.0-draft;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:keyvalue/store@0.2.0-draft" "open" (func $open (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (loop $again
      (call $open (i32.const 0) (i32.const 0) (i32.const 128))
      (br $again))
    (unreachable)))
