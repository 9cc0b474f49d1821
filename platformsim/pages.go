// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
)

//go:embed pages
var pageFiles embed.FS

func pageFile(name string) string {
	b, err := pageFiles.ReadFile("pages/" + name)
	if err != nil {
		panic(err) // embedded at build time
	}
	return string(b)
}

var (
	pageStyle   = template.CSS(pageFile("style.css"))
	courseJS    = template.JS(pageFile("course.js"))
	storageJS   = template.JS(pageFile("storage.js"))
	indexPage   = template.Must(template.New("index").Parse(pageFile("index.html")))
	coursePage  = template.Must(template.New("course").Parse(pageFile("course.html")))
	storagePage = []byte("<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Storage</title><script>" + pageFile("storage.js") + "</script></html>\n")

	// The marker lets the scripted Browser know a page that a real browser would send on by itself.
	autoPage = template.Must(template.New("auto").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Please wait</title></head>
<body><form id="auto" data-auto-submit="1" method="post" action="{{.Action}}">
{{range .Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<noscript><button>Continue</button></noscript></form>
<script>document.getElementById("auto").submit();</script></body></html>
`))
)

// shownPeople is how many people of a course its page shows.
const shownPeople = 100

// parentFrame is the storage target that means the page around the tool, and no frame.
const parentFrame = "_parent"

func (s *Sim) page(w http.ResponseWriter, t *template.Template, data any) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	write(w, b.Bytes())
}

// autoSubmit sends a page that posts a form by itself.
func (p *Platform) autoSubmit(w http.ResponseWriter, f *Form) { p.sim.page(w, autoPage, f) }

func (s *Sim) serveIndex(w http.ResponseWriter, _ *http.Request) {
	type row struct {
		Title, Course string
		Tools         []string
	}
	var rows []row
	for _, p := range s.platforms {
		rows = append(rows, row{p.profile.Title, "/" + p.profile.Name + "/course", p.Tools()})
	}
	s.page(w, indexPage, map[string]any{"Style": pageStyle, "Platforms": rows})
}

type gradeRow struct{ Person, Score, Comment, Progress string }

type gradeColumn struct {
	Label, Tool, Maximum string
	Rows                 []gradeRow
}

func (p *Platform) gradeColumns() []gradeColumn {
	var columns []gradeColumn
	for _, li := range p.Gradebook() {
		c := gradeColumn{Label: li.Label, Tool: li.Tool, Maximum: strconv.FormatFloat(li.ScoreMaximum, 'g', -1, 64)}
		for id, g := range li.Grades {
			row := gradeRow{Person: id, Score: "none", Comment: g.Comment, Progress: g.Activity + " " + g.Grading}
			if pr := p.crowd.byID(id); pr != nil {
				row.Person = fmt.Sprintf("%s (%s)", pr.Name(), pr.Key)
			}
			if g.Score != nil {
				row.Score = strconv.FormatFloat(*g.Score, 'g', -1, 64)
			}
			c.Rows = append(c.Rows, row)
		}
		slices.SortFunc(c.Rows, func(a, b gradeRow) int { return cmp.Compare(a.Person, b.Person) })
		columns = append(columns, c)
	}
	return columns
}

func (p *Platform) serveCourse(w http.ResponseWriter, _ *http.Request) {
	var people, roster []*Person
	for _, role := range []Role{Student, Teacher, Assistant, Admin, Anonymous} {
		people = append(people, p.crowd.byKey(string(role)))
	}
	for n := range min(p.crowd.size, shownPeople) {
		roster = append(roster, p.crowd.at(n))
	}
	people = append(people, roster[3:]...)
	var tools []Registration
	for _, name := range p.Tools() {
		tools = append(tools, p.Registration(name))
	}
	picked := slices.DeleteFunc(p.Links(), func(l Link) bool { return !l.DeepLinked })
	frame, script := p.profile.StorageFrame, courseJS
	if p.cfg.NoStorage {
		frame = ""
	}
	if frame == parentFrame { // the course page itself is the storage
		frame, script = "", courseJS+storageJS
	}
	p.sim.page(w, coursePage, map[string]any{
		"Style": pageStyle, "Script": script, "Title": p.profile.Title, "Course": courseTitle, "Frame": frame,
		"People": people, "Tools": tools, "Picked": picked, "Columns": p.gradeColumns(), "Faults": faultTable, "On": p.Faults(), "Roster": roster, "Size": p.crowd.size,
	})
}

func (p *Platform) serveFaultForm(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.errorPage(w, http.StatusBadRequest, "unreadable form")
		return
	}
	if r.PostForm.Get("clear") != "" {
		p.ClearFaults()
	} else if err := p.SetFault(FaultSetting{
		Fault: Fault(r.PostForm.Get("fault")), Value: r.PostForm.Get("value"), Sticky: r.PostForm.Get("sticky") != "",
	}); err != nil {
		p.errorPage(w, http.StatusBadRequest, err.Error())
		return
	}
	http.Redirect(w, r, "/"+p.profile.Name+"/course", http.StatusSeeOther)
}

func (p *Platform) serveStorageFrame(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	write(w, storagePage)
}
