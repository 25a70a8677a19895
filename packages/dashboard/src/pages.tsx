import { lazy } from "react";
import { Redirect, Route, Switch } from "wouter";
import { EmptyState } from "./parts/empty-state.tsx";
import { Page } from "./parts/page.tsx";

// Each page is loaded when it is opened for the first time.
const SandboxesPage = lazy(async () => ({
  default: (await import("./sandboxes/sandboxes-page.tsx")).SandboxesPage,
}));
const SandboxPage = lazy(async () => ({
  default: (await import("./sandbox/sandbox-page.tsx")).SandboxPage,
}));
const SecretStoresPage = lazy(async () => ({
  default: (await import("./secret-stores/secret-store-pages.tsx")).SecretStoresPage,
}));
const SecretStorePage = lazy(async () => ({
  default: (await import("./secret-stores/secret-store-pages.tsx")).SecretStorePage,
}));
const ProjectsPage = lazy(async () => ({
  default: (await import("./projects/project-pages.tsx")).ProjectsPage,
}));
const ProjectPage = lazy(async () => ({
  default: (await import("./projects/project-pages.tsx")).ProjectPage,
}));
const ImagesPage = lazy(async () => ({
  default: (await import("./images/images-page.tsx")).ImagesPage,
}));
const EventsPage = lazy(async () => ({
  default: (await import("./events/events-page.tsx")).EventsPage,
}));
const WebhooksPage = lazy(async () => ({
  default: (await import("./webhooks/webhooks-page.tsx")).WebhooksPage,
}));
const WebhookPage = lazy(async () => ({
  default: (await import("./webhooks/webhook-page.tsx")).WebhookPage,
}));
const KeysPage = lazy(async () => ({
  default: (await import("./keys/keys-page.tsx")).KeysPage,
}));
const NodePage = lazy(async () => ({
  default: (await import("./node/node-page.tsx")).NodePage,
}));

export function Pages() {
  return (
    <Switch>
      <Route path="/sandboxes" component={SandboxesPage} />
      <Route path="/sandboxes/:id/:tab?">
        {({ id, tab }) => <SandboxPage key={id} id={id} tab={tab ?? "overview"} />}
      </Route>
      <Route path="/secret-stores" component={SecretStoresPage} />
      <Route path="/secret-stores/:id">{({ id }) => <SecretStorePage key={id} id={id} />}</Route>
      <Route path="/projects" component={ProjectsPage} />
      <Route path="/projects/:id">{({ id }) => <ProjectPage key={id} id={id} />}</Route>
      <Route path="/images" component={ImagesPage} />
      <Route path="/events/:sandboxId?">
        {({ sandboxId }) => <EventsPage key={sandboxId} sandboxId={sandboxId} />}
      </Route>
      <Route path="/webhooks" component={WebhooksPage} />
      <Route path="/webhooks/:id">{({ id }) => <WebhookPage key={id} id={id} />}</Route>
      <Route path="/keys" component={KeysPage} />
      <Route path="/node" component={NodePage} />
      <Route path="/">
        <Redirect to="/sandboxes" replace />
      </Route>
      <Route>
        <Page title="No such page">
          <EmptyState text="There is no page at this address. Choose one of the sections." />
        </Page>
      </Route>
    </Switch>
  );
}
