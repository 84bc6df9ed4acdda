"""ECS: the images that tasks and services run, all containers of a task, service revisions, pages."""

from datetime import datetime, timezone
from uuid import uuid4

from moto.core.responses import ActionResult
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import Container, EC2ContainerServiceBackend, Task
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.moto_api import state_manager

from .ecr import resolve
from .patching import added, cut, page_size, wrapped


def digest(uri):
    """The digest that ECS reports for an image in ECR: of the index, where the tag points at one."""
    found = resolve(uri)[1]
    return found.image_digest if found else None


def tasks():
    """A task runs all containers of its definition, each on the image its tag pointed at when it started, until
    it is stopped. moto runs only the first one, without an image, and moves the task one state further each time it is
    described.
    """
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1_000_000_000})

    @wrapped(Task, "__init__")
    def init(original, self, cluster, task_definition, *args, **kwargs):
        original(self, cluster, task_definition, *args, **kwargs)
        self.containers = []
        for definition in task_definition.container_definitions:
            container = Container(task_definition)
            for name in ("name", "image", "command", "memory"):
                setattr(container, name, definition.get(name))
            container.image_digest = digest(container.image)
            container.container_arn = f"{self.task_arn.replace(':task/', ':container/', 1)}/{uuid4()}"
            container.task_arn = self.task_arn
            container.runtime_id = uuid4().hex
            container.last_status = "RUNNING"
            self.containers.append(container)

    @wrapped(EC2ContainerServiceBackend, "list_tasks")
    def list_tasks(original, self, cluster, instance, family, started_by, service, desired_status):
        found = original(self, cluster, instance, family, started_by, None, desired_status or "RUNNING")
        # moto matches every cluster whose name contains this one's, and ignores the service.
        name = self._get_cluster(cluster).name
        group = f"service:{service.rsplit('/', 1)[-1]}" if service else None
        return [task for task in found if task.cluster_name == name and group in (None, task.group)]


def services():
    """A service runs tasks, and each of its deployments a revision, which pins an image for each container. moto
    starts no tasks and knows no revisions.
    """

    def deploy(backend, service):
        definition = backend.describe_task_definition(service.task_definition)
        service.task_definition = definition.arn
        pinned = [
            {"containerName": it["name"], "image": it["image"], "imageDigest": digest(it["image"])}
            for it in definition.container_definitions
        ]
        arn = service.arn.replace(":service/", ":service-revision/", 1) + f"/{uuid4().int % 10**19}"
        revision = {"serviceRevisionArn": arn, "serviceArn": service.arn, "clusterArn": service.cluster_arn}
        revision |= {"taskDefinition": definition.arn, "createdAt": datetime.now(timezone.utc)}
        backend.__dict__.setdefault("revisions", {})[arn] = revision | {"containerImages": pinned}
        cluster, group = service.cluster_name, f"service:{service.name}"
        for arn_of_task, task in backend.tasks.get(cluster, {}).items():
            if task.group == group:
                backend.stop_task(cluster, arn_of_task, "a deployment replaced it")
        count, started_by = service.desired_count, f"ecs-svc/{uuid4().int % 10**19}"
        network = service.network_configuration or None
        backend.run_task(cluster, definition.arn, count, None, started_by, None, "FARGATE", network, group)
        service.running_count, service.pending_count = count, 0
        counts = {"requestedTaskCount": count, "runningTaskCount": count, "pendingTaskCount": 0}
        service.current_service_revisions = [{"arn": arn, **counts}]

    @wrapped(EC2ContainerServiceBackend, "create_service")
    def create_service(original, self, *args, **kwargs):
        service = original(self, *args, **kwargs)
        deploy(self, service)
        return service

    @wrapped(EC2ContainerServiceBackend, "update_service")
    def update_service(original, self, properties):
        is_deployed = properties.get("task_definition") or properties.get("force_new_deployment")
        service = original(self, properties)
        if is_deployed:
            deploy(self, service)
        return service

    @added(EC2ContainerServiceResponse)
    def describe_service_revisions(self):
        arns = self._get_param("serviceRevisionArns", [])
        most(arns, 20)
        known = getattr(self.ecs_backend, "revisions", {})
        failures = [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known]
        found = [known[arn] for arn in arns if arn in known]
        return ActionResult({"serviceRevisions": found, "failures": failures})


def most(asked, largest):
    """Refuses to describe more than `largest` things in one call."""
    if len(asked) > largest:
        raise InvalidParameterException(f"at most {largest} can be described in one call")


def lists():
    """Lists come in pages of 100, of services 10, and no more than that can be described in one call."""

    def paged(operation, key, usual):
        @wrapped(EC2ContainerServiceResponse, operation)
        def pages(original, self):
            items = original(self).result[key]
            size = page_size(self._get_param("maxResults"), usual, 100, InvalidParameterException)
            items, following = cut(items, size, self._get_param("nextToken"), InvalidParameterException)
            return ActionResult({key: items} | ({"nextToken": following} if following else {}))

    def limited(operation, key, largest):
        @wrapped(EC2ContainerServiceResponse, operation)
        def refuse(original, self):
            most(self._get_param(key, []), largest)
            return original(self)

    paged("list_clusters", "clusterArns", 100)
    paged("list_services", "serviceArns", 10)
    paged("list_tasks", "taskArns", 100)
    limited("describe_clusters", "clusters", 100)
    limited("describe_services", "services", 10)
    limited("describe_tasks", "tasks", 100)


def apply():
    """Applies the fixes."""
    for fix in (tasks, services, lists):
        fix()
