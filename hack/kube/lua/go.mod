// What Argo CD makes of objects by our health script, for the tests: the Lua that Argo CD has.
module ppn.dev/hack/kube/lua

go 1.26.0

require github.com/yuin/gopher-lua v1.1.2
