package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Archive of ppn.dev/v1alpha1 as kubebuilder would have it: all of its spec, of its status what this program writes.
type Archive struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ArchiveSpec   `json:"spec"`
	Status            ArchiveStatus `json:"status,omitempty"`
}

type ArchiveSpec struct {
	NodeName       string        `json:"nodeName"`
	RunState       string        `json:"runState,omitempty"`
	Image          ArchiveImage  `json:"image"`
	AdoptDisk      string        `json:"adoptDisk,omitempty"`
	Memory         ArchiveMemory `json:"memory"`
	CPU            ArchiveCPU    `json:"cpu,omitempty"`
	RestartPolicy  string        `json:"restartPolicy,omitempty"`
	Relocation     string        `json:"relocation,omitempty"`
	DeletionPolicy string        `json:"deletionPolicy,omitempty"`
}

type ArchiveImage struct {
	Source       string `json:"source"`
	SHA256       string `json:"sha256"`
	Format       string `json:"format"`
	Architecture string `json:"architecture,omitempty"`
}

type ArchiveMemory struct {
	Floor  string `json:"floor"`
	Max    string `json:"max"`
	Target string `json:"target,omitempty"`
}

type ArchiveCPU struct {
	VCPUs  int32 `json:"vcpus,omitempty"`
	Weight int32 `json:"weight,omitempty"`
}

type ArchiveStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	Phase              string             `json:"phase,omitempty"`
}

type ArchiveList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Archive `json:"items"`
}

var groupVersion = schema.GroupVersion{Group: "ppn.dev", Version: "v1alpha1"}

func register(scheme *runtime.Scheme) {
	scheme.AddKnownTypes(groupVersion, &Archive{}, &ArchiveList{})
	metav1.AddToGroupVersion(scheme, groupVersion)
}

// What controller-gen writes.

func (in *Archive) DeepCopyObject() runtime.Object { return in.deepCopy() }

func (in *Archive) deepCopy() *Archive {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	if in.Status.Conditions != nil {
		out.Status.Conditions = make([]metav1.Condition, len(in.Status.Conditions))
		for i := range in.Status.Conditions {
			in.Status.Conditions[i].DeepCopyInto(&out.Status.Conditions[i])
		}
	}
	return &out
}

func (in *ArchiveList) DeepCopyObject() runtime.Object {
	out := *in
	in.ListMeta.DeepCopyInto(&out.ListMeta)
	out.Items = make([]Archive, len(in.Items))
	for i := range in.Items {
		out.Items[i] = *in.Items[i].deepCopy()
	}
	return &out
}
