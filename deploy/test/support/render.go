// Renders the templates of a chart as Helm does: Go's text/template with the functions of sprig and the few that Helm
// adds. Built by chart.ts with Debian's packages.
//
// Standard input: {"templates": {"berth/templates/x.yaml": "…"}, "files": {"files/x.yaml": "…"},
// "context": {"Values": …, "Release": …, "Chart": …}}.
// Standard output: {"berth/templates/x.yaml": "…"}. Errors go to standard error, with status 1.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v3"
)

type input struct {
	Templates map[string]string
	Files     files
	Context   map[string]interface{}
}

// The chart's other files, as .Files.
type files map[string]string

func (f files) Get(name string) string { return f[name] }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		return err
	}
	// As in Helm, a missing value renders as nothing instead of failing.
	all := template.New("chart").Option("missingkey=zero")
	functions := sprig.TxtFuncMap()
	delete(functions, "env")
	delete(functions, "expandenv")
	functions["include"] = func(name string, data interface{}) (string, error) {
		var text strings.Builder
		err := all.ExecuteTemplate(&text, name, data)
		return text.String(), err
	}
	functions["toYaml"] = func(value interface{}) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	functions["fail"] = func(reason string) (string, error) { return "", errors.New(reason) }
	all.Funcs(functions)
	for name, text := range in.Templates {
		if _, err := all.New(name).Parse(text); err != nil {
			return err
		}
	}
	rendered := map[string]string{}
	for name := range in.Templates {
		if strings.HasPrefix(path.Base(name), "_") {
			continue
		}
		in.Context["Files"] = in.Files
		in.Context["Template"] = map[string]interface{}{"Name": name, "BasePath": path.Dir(name)}
		var text strings.Builder
		if err := all.ExecuteTemplate(&text, name, in.Context); err != nil {
			return err
		}
		rendered[name] = strings.ReplaceAll(text.String(), "<no value>", "")
	}
	return json.NewEncoder(os.Stdout).Encode(rendered)
}
