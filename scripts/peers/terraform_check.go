// Checks Terraform modules without Terraform and without providers: the format of `terraform fmt`, with the
// same library (hclwrite), and that every name is declared, used, and has its required arguments.
//
//	terraform_check FOLDER…
//
// It cannot check attributes of providers.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Predefined names.
var given = map[string]bool{
	"each": true, "count": true, "path": true, "terraform": true, "self": true,
	// In types of variables.
	"string": true, "number": true, "bool": true, "any": true,
}

// A module: its declarations, by the name that references use, and its references.
type module struct {
	folder    string
	declared  map[string]hcl.Range
	used      map[string]bool
	required  map[string]bool
	variables map[string]bool
	outputs   map[string]bool
	calls     map[string]*hclsyntax.Body
	problems  []string
}

func (m *module) complain(at hcl.Range, format string, args ...interface{}) {
	m.problems = append(m.problems, fmt.Sprintf("%s:%d: %s", at.Filename, at.Start.Line, fmt.Sprintf(format, args...)))
}

func (m *module) declare(name string, at hcl.Range) {
	if _, twice := m.declared[name]; twice {
		m.complain(at, "%s is declared twice", name)
	}
	m.declared[name] = at
}

func read(folder string) *module {
	m := &module{
		folder: folder, declared: map[string]hcl.Range{}, used: map[string]bool{}, required: map[string]bool{},
		variables: map[string]bool{}, outputs: map[string]bool{}, calls: map[string]*hclsyntax.Body{},
	}
	files, _ := filepath.Glob(filepath.Join(folder, "*.tf"))
	if len(files) == 0 {
		m.complain(hcl.Range{Filename: folder}, "there is no module")
	}
	var bodies []*hclsyntax.Body
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			m.complain(hcl.Range{Filename: name}, "%s", err)
			continue
		}
		file, problems := hclsyntax.ParseConfig(source, name, hcl.InitialPos)
		for _, problem := range problems {
			m.complain(*problem.Subject, "%s: %s", problem.Summary, problem.Detail)
		}
		if problems.HasErrors() {
			continue
		}
		if formatted := hclwrite.Format(source); !bytes.Equal(source, formatted) {
			m.complain(hcl.Range{Filename: name, Start: hcl.Pos{Line: differs(source, formatted)}}, "is not formatted")
		}
		bodies = append(bodies, file.Body.(*hclsyntax.Body))
	}
	for _, body := range bodies {
		for _, block := range body.Blocks {
			m.block(block)
		}
	}
	for _, body := range bodies {
		m.references(body, nil)
	}
	return m
}

// The first line in which two texts differ.
func differs(one, other []byte) int {
	lines, others := strings.Split(string(one), "\n"), strings.Split(string(other), "\n")
	for i := range lines {
		if i >= len(others) || lines[i] != others[i] {
			return i + 1
		}
	}
	return len(lines)
}

func (m *module) block(block *hclsyntax.Block) {
	at := block.DefRange()
	described := func() {
		if block.Body.Attributes["description"] == nil {
			m.complain(at, "has no description")
		}
	}
	switch block.Type {
	case "variable":
		name := block.Labels[0]
		m.declare("var."+name, at)
		m.variables[name] = true
		m.required[name] = block.Body.Attributes["default"] == nil
		described()
		if block.Body.Attributes["type"] == nil {
			m.complain(at, "has no type")
		}
	case "output":
		m.outputs[block.Labels[0]] = true
		described()
	case "locals":
		for name, attribute := range block.Body.Attributes {
			m.declare("local."+name, attribute.Range())
		}
	case "module":
		m.declare("module."+block.Labels[0], at)
		m.calls[block.Labels[0]] = block.Body
	case "resource":
		name := strings.Join(block.Labels, ".")
		m.declare(name, at)
		m.used[name] = true
	case "data":
		m.declare("data."+strings.Join(block.Labels, "."), at)
	case "terraform":
	default:
		m.complain(at, "%s is no block of a module", block.Type)
	}
}

// Collects the references of a body; `local` are the names that are valid only within it.
func (m *module) references(body *hclsyntax.Body, local map[string]bool) {
	for _, attribute := range body.Attributes {
		for _, traversal := range attribute.Expr.Variables() {
			m.refer(traversal, local)
		}
	}
	for _, block := range body.Blocks {
		within := local
		if block.Type == "dynamic" {
			within = map[string]bool{block.Labels[0]: true}
			for name := range local {
				within[name] = true
			}
		}
		m.references(block.Body, within)
	}
}

func (m *module) refer(traversal hcl.Traversal, local map[string]bool) {
	root := traversal.RootName()
	if given[root] || local[root] {
		return
	}
	length := 2
	if root == "data" {
		length = 3
	}
	parts := []string{root}
	for _, step := range traversal[1:] {
		if attribute, is := step.(hcl.TraverseAttr); is && len(parts) < length {
			parts = append(parts, attribute.Name)
		}
	}
	name := strings.Join(parts, ".")
	// Lifecycle blocks and types contain bare words.
	if len(parts) < 2 {
		return
	}
	if _, is := m.declared[name]; !is {
		m.complain(traversal.SourceRange(), "%s is not declared", name)
	}
	m.used[name] = true
	if root != "module" || len(traversal) < 3 {
		return
	}
	if output, is := traversal[2].(hcl.TraverseAttr); is {
		called := m.called(parts[1])
		if called != nil && !called.outputs[output.Name] {
			m.complain(traversal.SourceRange(), "%s has no output %s", name, output.Name)
		}
	}
}

var modules = map[string]*module{}

func load(folder string) *module {
	folder = filepath.Clean(folder)
	if modules[folder] == nil {
		m := read(folder)
		modules[folder] = m
		for name := range m.calls {
			m.called(name)
		}
	}
	return modules[folder]
}

// The called module.
func (m *module) called(name string) *module {
	body := m.calls[name]
	if body == nil || body.Attributes["source"] == nil {
		return nil
	}
	source, problems := body.Attributes["source"].Expr.Value(nil)
	if problems.HasErrors() {
		return nil
	}
	return load(filepath.Join(m.folder, source.AsString()))
}

func (m *module) check() {
	for name, at := range m.declared {
		if !m.used[name] && !strings.HasPrefix(name, "module.") {
			m.complain(at, "%s is never used", name)
		}
	}
	for name, body := range m.calls {
		called := m.called(name)
		if called == nil {
			m.complain(body.SrcRange, "module.%s has no source", name)
			continue
		}
		for argument, attribute := range body.Attributes {
			is := map[string]bool{"source": true, "for_each": true, "count": true, "depends_on": true}
			if !is[argument] && !called.variables[argument] {
				m.complain(attribute.Range(), "%s has no variable %s", called.folder, argument)
			}
		}
		for variable, needed := range called.required {
			if needed && body.Attributes[variable] == nil {
				m.complain(body.SrcRange, "module.%s needs %s", name, variable)
			}
		}
	}
}

func main() {
	for _, folder := range os.Args[1:] {
		load(folder)
	}
	var problems []string
	for _, m := range modules {
		m.check()
		problems = append(problems, m.problems...)
	}
	sort.Strings(problems)
	for _, problem := range problems {
		fmt.Println(problem)
	}
	if len(problems) > 0 || len(os.Args) < 2 {
		os.Exit(1)
	}
}
