// Objects as JSON lines on standard input, what kstatus makes of each as JSON lines on standard output: the judgement
// that Flux, Argo CD's health by kstatus and `kpt live` act on.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func run(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	answers := json.NewEncoder(out)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			object := &unstructured.Unstructured{}
			// Its own decoder: integers stay integers, as kstatus expects them.
			if err := object.UnmarshalJSON(line); err != nil {
				return err
			}
			result, err := status.Compute(object)
			if err != nil {
				return err
			}
			if err := answers.Encode(verdict{string(result.Status), result.Message}); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
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
