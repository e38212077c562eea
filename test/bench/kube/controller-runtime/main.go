// The reconcile of test/bench/kube on controller-runtime: for each new generation of an Archive one command to the
// receiver, then status by server-side apply.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

const fieldManager = "bench"

type reconciler struct {
	client client.Client
	effect net.Conn
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var archive Archive
	if err := r.client.Get(ctx, request.NamespacedName, &archive); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if archive.Status.ObservedGeneration == archive.Generation {
		return ctrl.Result{}, nil
	}
	bytes, err := command(&archive)
	if err != nil {
		return ctrl.Result{}, err
	}
	if _, err := r.effect.Write(bytes); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.writeStatus(ctx, &archive)
}

func (r *reconciler) writeStatus(ctx context.Context, archive *Archive) error {
	since := metav1.Now()
	for _, condition := range archive.Status.Conditions {
		if condition.Type == "Ready" {
			since = condition.LastTransitionTime
		}
	}
	status := ArchiveStatus{
		ObservedGeneration: archive.Generation,
		Phase:              "Running",
		Conditions: []metav1.Condition{{
			Type:               "Ready",
			Status:             metav1.ConditionTrue,
			ObservedGeneration: archive.Generation,
			LastTransitionTime: since,
			Reason:             "Told",
			Message:            "the command was sent",
		}},
	}
	// A patch of what is ours and nothing else: the typed object would be applied with its spec.
	patch, err := json.Marshal(map[string]any{
		"apiVersion": groupVersion.String(),
		"kind":       "Archive",
		"metadata": map[string]string{
			"name": archive.Name, "namespace": archive.Namespace, "resourceVersion": archive.ResourceVersion,
		},
		"status": status,
	})
	if err != nil {
		return err
	}
	return r.client.Status().Patch(ctx, archive, client.RawPatch(types.ApplyPatchType, patch),
		client.FieldOwner(fieldManager), client.ForceOwnership)
}

func run() error {
	receiver := flag.String("receiver", "", "host:port that commands are sent to")
	// 0: controller-runtime's own default, which is 1.
	workers := flag.Int("workers", 0, "concurrent reconciles")
	strip := flag.Bool("strip", false, "keep no managed fields in the cache")
	flag.Parse()
	log.SetLogger(zap.New())

	effect, err := net.Dial("udp", *receiver)
	if err != nil {
		return err
	}
	// --kubeconfig is a flag of this package. It sets no limit on requests a second (QPS -1).
	settings, err := config.GetConfig()
	if err != nil {
		return err
	}
	settings.UserAgent = "bench-controller-runtime"
	scheme := runtime.NewScheme()
	register(scheme)
	options := ctrl.Options{Scheme: scheme, Metrics: server.Options{BindAddress: "0"}}
	if *strip {
		options.Cache = cache.Options{DefaultTransform: cache.TransformStripManagedFields()}
	}
	manager, err := ctrl.NewManager(settings, options)
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(manager).
		For(&Archive{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: *workers}).
		Complete(&reconciler{client: manager.GetClient(), effect: effect})
	if err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
