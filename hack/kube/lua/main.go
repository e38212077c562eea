// A health script of Argo CD on objects, as Argo CD runs it: the same Lua, base and table libraries only, one second at
// most. Standard input: the script as a line of JSON, then an object a line. Standard output: a line of JSON each.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
)

const within = time.Second

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func luaOf(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		table := state.CreateTable(len(v), 0)
		for _, item := range v {
			table.Append(luaOf(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(v))
		for key, item := range v {
			table.RawSetString(key, luaOf(state, item))
		}
		return table
	}
	return lua.LNil
}

func judge(script string, object map[string]any) (health, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return health{}, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", luaOf(state, object))
	if err := state.DoString(script); err != nil {
		return health{}, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return health{}, fmt.Errorf("the script returns %s, not a table", state.Get(-1).Type())
	}
	message := ""
	if text, ok := table.RawGetString("message").(lua.LString); ok {
		message = string(text)
	}
	return health{lua.LVAsString(table.RawGetString("status")), message}, nil
}

func run(in io.Reader, out io.Writer) error {
	lines := json.NewDecoder(bufio.NewReader(in))
	var script string
	if err := lines.Decode(&script); err != nil {
		return err
	}
	answers := json.NewEncoder(out)
	for {
		var object map[string]any
		if err := lines.Decode(&object); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		verdict, err := judge(script, object)
		if err != nil {
			return err
		}
		if err := answers.Encode(verdict); err != nil {
			return err
		}
	}
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
