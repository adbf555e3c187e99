// What each name in the Go files of a module means, as go/types says: the oracle of callers.py.
//
//	go run . FOLDER > MEANINGS.tsv
//
// One line for each use of a name: path, line and column (from 1 and from 0, in characters) of the use, then of its
// definition; the last three are empty when that is not in the module.
package main

import (
	"bufio"
	"fmt"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"unicode/utf8"

	"golang.org/x/tools/go/packages"
)

func main() {
	root, err := filepath.Abs(os.Args[1])
	if err != nil {
		panic(err)
	}
	fset := token.NewFileSet()
	loaded, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax, Dir: root, Fset: fset, Tests: true}, "./...")
	if err != nil {
		panic(err)
	}
	places := placer{root: root, fset: fset, texts: map[string][]string{}}
	lines := map[string]bool{}
	packages.Visit(loaded, nil, func(one *packages.Package) {
		if one.TypesInfo == nil {
			return
		}
		for name, object := range one.TypesInfo.Uses {
			if from := places.of(name.Pos()); from != "" {
				lines[from+"\t"+places.definition(object)] = true
			}
		}
	})
	sorted := make([]string, 0, len(lines))
	for line := range lines {
		sorted = append(sorted, line)
	}
	sort.Strings(sorted)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, line := range sorted {
		fmt.Fprintln(out, line)
	}
}

type placer struct {
	root  string
	fset  *token.FileSet
	texts map[string][]string
}

// definition is where an object, of a generic one its origin, is defined; empty columns when outside of the root.
func (p placer) definition(object types.Object) string {
	switch one := object.(type) {
	case *types.Func:
		object = one.Origin()
	case *types.Var:
		object = one.Origin()
	}
	if place := p.of(object.Pos()); place != "" {
		return place
	}
	return "\t\t"
}

// of is the place of a position, "" when it is not below the root.
func (p placer) of(pos token.Pos) string {
	if !pos.IsValid() {
		return ""
	}
	at := p.fset.Position(pos)
	path, err := filepath.Rel(p.root, at.Filename)
	if err != nil || strings.HasPrefix(path, "..") {
		return ""
	}
	lines, known := p.texts[at.Filename]
	if !known {
		text, err := os.ReadFile(at.Filename)
		if err != nil {
			return ""
		}
		lines = strings.Split(string(text), "\n")
		p.texts[at.Filename] = lines
	}
	line := lines[at.Line-1]
	column := utf8.RuneCountInString(line[:min(at.Column-1, len(line))])
	return fmt.Sprintf("%s\t%d\t%d", filepath.ToSlash(path), at.Line, column)
}
