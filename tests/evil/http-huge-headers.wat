;; Adds headers to a request without end.
;; outcome: fails trap
;; grants: http:https://example.com
;; import wasi:http/types@0.2.0;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:http/types@0.2.0" "[constructor]fields" (func $new-fields (result i32)))
  (import "wasi:http/types@0.2.0" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 2048) "x-more")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (local $fields i32)
    (local.set $fields (call $new-fields))
    (memory.fill (i32.const 4096) (i32.const 0x78) (i32.const 4096))
    (loop $again
      (call $append (local.get $fields) (i32.const 2048) (i32.const 6) (i32.const 4096) (i32.const 4096)
        (i32.const 512))
      (br $again))
    (unreachable)))
