// SPDX-License-Identifier: Apache-2.0

package server

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// fill gives every text below a value its own name, in small letters without underscores, and every other thing a value
// that is not zero.
func fill(value reflect.Value, name string) {
	switch value.Kind() {
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		fill(value.Elem(), name)
	case reflect.Struct:
		if value.Type() == reflect.TypeFor[time.Time]() {
			value.Set(reflect.ValueOf(time.Unix(1_900_000_000, 0)))
			return
		}
		for i := range value.NumField() {
			fill(value.Field(i), value.Type().Field(i).Name)
		}
	case reflect.String:
		value.SetString(strings.ToLower(name))
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		fill(value.Index(0), name)
	case reflect.Map:
		value.Set(reflect.ValueOf(map[string]string{"key": strings.ToLower(name)}))
	case reflect.Float64:
		value.SetFloat(float64(len(name)))
	case reflect.Int, reflect.Int32, reflect.Int64:
		value.SetInt(int64(len(name)))
	case reflect.Bool:
		value.SetBool(true)
	}
}

// checkFilled holds every field of a message to be there, and every text to be the one of its own name.
func checkFilled(t *testing.T, message protoreflect.Message, renamed map[string]string) {
	t.Helper()
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		name := string(message.Descriptor().Name()) + "." + string(field.Name())
		if !message.Has(field) {
			t.Errorf("%s is not set", name)
			continue
		}
		want, ok := renamed[name]
		if !ok {
			want = strings.ReplaceAll(string(field.Name()), "_", "")
		}
		value := message.Get(field)
		switch {
		case field.IsMap():
			value.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				if v.String() != want {
					t.Errorf("%s is %q, want %q", name, v, want)
				}
				return true
			})
		case field.IsList() && field.Kind() == protoreflect.StringKind:
			if got := value.List().Get(0).String(); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		case field.IsList() && field.Kind() == protoreflect.MessageKind:
			checkFilled(t, value.List().Get(0).Message(), renamed)
		case field.IsList():
			if value.List().Len() == 0 {
				t.Errorf("%s is empty", name)
			}
		case field.Kind() == protoreflect.StringKind:
			if value.String() != want {
				t.Errorf("%s is %q, want %q", name, value, want)
			}
		case field.Kind() == protoreflect.MessageKind && field.Message().FullName() != "google.protobuf.Timestamp":
			checkFilled(t, value.Message(), renamed)
		}
	}
}

// Everything that a launch says reaches the tool, under its own name.
func TestLaunchIsConvertedWhole(t *testing.T) {
	t.Parallel()
	l := &launch.Launch{}
	fill(reflect.ValueOf(l).Elem(), "")
	l.MessageType, l.Binding, l.Grades.Scopes = lti.MessageResourceLink, launch.BindingPartitionedCookie, []string{lti.ScopeScore}
	converted := launchToProto(l)
	checkFilled(t, converted.ProtoReflect(), map[string]string{
		"Launch.launch_id": "id", "Launch.launch_token": "token", "Launch.message_type_name": "messagename",
		"Launch.mentored_user_ids": "mentoredusers", "ToolPlatform.product_family_code": "productfamily", "GradeEndpoint.scopes": lti.ScopeScore,
		"DeepLinkingSettings.accept_presentation_document_targets": "accepttargets", "DeepLinkingSettings.accept_media_types": "acceptmedia",
		"DeepLinkingSettings.deep_linking_token": "token", "GroupEndpoint.context_groups_uri": "groupsuri", "GroupEndpoint.context_group_sets_uri": "groupsetsuri",
		"EventEndpoint.caliper_endpoint_uri": "uri", "Proctoring.proctoring_token": "token", "Proctoring.settings_data": "settings", "AssessmentControl.control_uri": "uri",
		"Launch.asset_report_type": "reporttype", "Launch.lti11_legacy_user_id": "lti11userid", "Asset.sha256_checksum": "checksum",
		"AssetReportService.report_uri": "uri", "EulaService.eula_uri": "uri", "NoticeService.notice_handlers_uri": "uri", "NoticeService.notice_types": "types",
	})
	if converted.BrowserBinding != pb.BrowserBinding_BROWSER_BINDING_PARTITIONED_COOKIE || converted.MessageType != pb.MessageType_MESSAGE_TYPE_RESOURCE_LINK || !converted.LaunchTime.AsTime().Equal(l.Time) {
		t.Errorf("%v", converted)
	}
	if p := converted.LaunchPresentation; p.Height != l.Presentation.Height || p.Width != l.Presentation.Width || p.Height == p.Width {
		t.Errorf("%v", p)
	}
	empty := launchToProto(&launch.Launch{})
	if empty.User != nil || empty.Context != nil || empty.ResourceLink != nil || empty.Grades != nil || empty.Memberships != nil || empty.Lis != nil {
		t.Errorf("made of nothing: %v", empty)
	}
}

func TestRoleSummaryIsConvertedWhole(t *testing.T) {
	t.Parallel()
	names := reflect.TypeFor[lti.RoleSummary]()
	for i := range names.NumField() {
		var s lti.RoleSummary
		reflect.ValueOf(&s).Elem().Field(i).SetBool(true)
		set := 0
		roleSummaryToProto(s).ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			set++
			if strings.ReplaceAll(string(field.Name()), "_", "") != strings.ToLower(names.Field(i).Name) {
				t.Errorf("%s becomes %s", names.Field(i).Name, field.Name())
			}
			return true
		})
		if set != 1 {
			t.Errorf("%s: %d fields are set", names.Field(i).Name, set)
		}
	}
}

func TestMemberIsConvertedWhole(t *testing.T) {
	t.Parallel()
	m := &lti.Member{}
	fill(reflect.ValueOf(m).Elem(), "")
	r := &platform.Registration{Issuer: "https://lms.example", SubjectNamespace: "n"}
	for name, want := range map[string]pb.MemberStatus{
		lti.StatusActive: pb.MemberStatus_MEMBER_STATUS_ACTIVE, lti.StatusInactive: pb.MemberStatus_MEMBER_STATUS_INACTIVE, lti.StatusDeleted: pb.MemberStatus_MEMBER_STATUS_DELETED,
	} {
		m.Status = name
		converted := memberToProto(r, m)
		checkFilled(t, converted.ProtoReflect(), map[string]string{"Member.user_key": lti.UserKey("n", "https://lms.example", "userid")})
		if converted.Status != want {
			t.Errorf("%s becomes %s", name, converted.Status)
		}
	}
}

// Every value of the progress enumerations has a word, and no value beyond them.
func TestProgressWords(t *testing.T) {
	t.Parallel()
	for number, name := range pb.ActivityProgress_name {
		score, err := scoreFromProto(&pb.Score{ActivityProgress: pb.ActivityProgress(number)})
		word := strings.ReplaceAll(strings.TrimPrefix(name, "ACTIVITY_PROGRESS_"), "_", "")
		if number == 0 {
			word = "COMPLETED"
		}
		if err != nil || strings.ToUpper(score.ActivityProgress) != word {
			t.Errorf("%s: %q %v", name, score.ActivityProgress, err)
		}
	}
	for number, name := range pb.GradingProgress_name {
		score, err := scoreFromProto(&pb.Score{GradingProgress: pb.GradingProgress(number)})
		word := strings.ReplaceAll(strings.TrimPrefix(name, "GRADING_PROGRESS_"), "_", "")
		if number == 0 {
			word = "FULLYGRADED"
		}
		if err != nil || strings.ToUpper(score.GradingProgress) != word {
			t.Errorf("%s: %q %v", name, score.GradingProgress, err)
		}
	}
	score, err := scoreFromProto(&pb.Score{ScoreGiven: proto.Float64(0), ScoringUserId: "s", Comment: "c"})
	if err != nil || score.ScoreGiven == nil || *score.ScoreGiven != 0 || score.ScoreMaximum != nil || !score.ScoreTime.IsZero() || score.ScoringUserID != "s" || score.Comment != "c" {
		t.Errorf("%+v %v", score, err)
	}
}
